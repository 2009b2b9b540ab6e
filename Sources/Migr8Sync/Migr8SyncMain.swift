// The entry point of the program: hands the command line to the subcommand it names.

@main
enum Migr8SyncMain {
  static func main() {}
}
