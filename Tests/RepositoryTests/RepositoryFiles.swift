// The files of the repository as the tests of this target read them: path and text, nothing else.

import Glibc

/// One text file of the package.
struct RepositoryFile: CustomStringConvertible {
  /// Relative to the package's folder.
  let path: String
  let text: String

  var description: String { path }
  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
  var isSwift: Bool { path.hasSuffix(".swift") }
}

enum Repository {
  /// The package's folder, from where this file is.
  static let root = String(
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
      .joined(separator: "/"))

  /// What is not text, or not ours.
  private static let skippedFolders: Set = ["Fixtures", "__pycache__"]

  /// Every text file of the source folders and of the package's top level.
  static let files: [RepositoryFile] =
    ["Sources", "Tests", "scripts", "docs", ".ci"].flatMap(files(under:)) + topLevelFiles

  static let swiftFiles = files.filter(\.isSwift)

  static let libraryFiles = swiftFiles.filter {
    $0.path.hasPrefix("Sources/RDBParser/") || $0.path.hasPrefix("Sources/ReplicaLink/")
  }

  static func exists(_ path: String) -> Bool { access(root + "/" + path, F_OK) == 0 }

  private static var topLevelFiles: [RepositoryFile] {
    names(in: "").filter { $0.hasSuffix(".md") || $0.hasSuffix(".swift") }.compactMap(file)
  }

  private static func files(under folder: String) -> [RepositoryFile] {
    names(in: folder).sorted().flatMap { name -> [RepositoryFile] in
      let path = folder + "/" + name
      if isFolder(path) { return skippedFolders.contains(name) ? [] : files(under: path) }
      return file(path).map { [$0] } ?? []
    }
  }

  private static func names(in folder: String) -> [String] {
    guard let handle = opendir(root + "/" + folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(root + "/" + path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFDIR
  }

  /// The file's text; nil when it is not UTF-8.
  private static func file(_ path: String) -> RepositoryFile? {
    guard let handle = fopen(root + "/" + path, "r") else { return nil }
    defer { fclose(handle) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, handle)
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    return String(validating: bytes, as: UTF8.self).map { RepositoryFile(path: path, text: $0) }
  }
}
