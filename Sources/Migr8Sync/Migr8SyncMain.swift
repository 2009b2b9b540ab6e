// The entry point of the program: hands the command line to the subcommand it names.
import ReplicaLink
@main
enum Migr8SyncMain {
  static func main() {
    let a = CommandLine.arguments
    do {
      let f = KeyFilter(prefixes: a.count > 3 && a[3] != "-" ? [Array(a[3].utf8)] : [])
      let o = SyncOptions(source: try RedisURL(a[1]), destination: try RedisURL(a[2]), filter: f, databases: DatabaseMap(), workers: a.count > 4 ? Int(a[4]) : nil)
      let p = Preflight(source: o.source, destination: o.destination, timeouts: o.timeouts)
      let r = Replay(options: o, findings: try p.run(filter: f, writes: true))
      print(try r.run(), r.phases.reading(), r.progress.keysWritten.load(ordering: .relaxed))
    } catch { print(error) }
  }
}
