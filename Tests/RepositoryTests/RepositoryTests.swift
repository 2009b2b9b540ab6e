// House rules that a linter cannot see. Each rule is a function from source text to complaints, so that
// the tests at the end can show that it does complain.

import Testing

private let fileLinesMax = 400
private let functionLinesMax = 70

@Suite("The repository")
struct RepositoryTests {
  @Test func filesAreFound() {
    #expect(Repository.swiftFiles.count > 10)
    #expect(Repository.files.contains { $0.path == "scripts/test" })
    #expect(Repository.files.contains { $0.path == "Package.swift" })
  }

  @Test func codeNeverTraps() {
    for file in Repository.swiftFiles {
      #expect(trapping(file.text) == [], "\(file)")
    }
  }

  @Test func librariesNeitherPrintNorUseFoundation() {
    #expect(Repository.libraryFiles.count > 1)
    for file in Repository.libraryFiles {
      #expect(unfitForLibrary(file.text) == [], "\(file)")
    }
  }

  @Test func filesAndFunctionsAreShort() {
    for file in Repository.files where !file.path.hasSuffix(".md") {
      #expect(file.lines.count <= fileLinesMax, "\(file) has \(file.lines.count) lines")
    }
    for file in Repository.swiftFiles {
      #expect(longFunctions(file.text) == [], "\(file)")
    }
  }

  @Test func everySourceFileOpensWithAComment() {
    for file in Repository.files where !file.path.hasSuffix(".md") {
      #expect(opensWithComment(file.text), "\(file)")
    }
  }

  @Test func noPathOfOneMachineIsWrittenDown() {
    for file in Repository.files {
      #expect(machinePaths(file.text) == [], "\(file)")
    }
  }

  @Test func nothingIsLeftUnfinished() {
    for file in Repository.files where !file.path.hasPrefix("Tests/RepositoryTests/") {
      #expect(unfinished(file.text) == [], "\(file)")
    }
  }

  @Test func thePackageDependsOnNoOther() throws {
    let manifest = try #require(Repository.files.first { $0.path == "Package.swift" })
    #expect(!SwiftSource(manifest.text).lines.contains { $0.contains(".package(") })
  }

  @Test(arguments: ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"])
  func theDocumentExists(name: String) {
    #expect(Repository.exists(name))
  }

  @Test func linksInDocumentsLeadSomewhere() {
    for file in Repository.files where file.path.hasSuffix(".md") {
      let folder = file.path.split(separator: "/").dropLast().map { $0 + "/" }.joined()
      for match in file.text.matches(of: /\]\(([^)#:\s]+)(#[^)]*)?\)/) {
        #expect(Repository.exists(folder + match.1), "\(file) links to \(match.1)")
      }
    }
  }
}

/// The canaries: a rule that accepts these protects nothing.
@Suite("The rules of the repository")
struct RuleTests {
  @Test func trapsAreSeen() {
    #expect(trapping("let x = try! f()").count == 1)
    #expect(trapping("func f() { fatalError(\"no\") }").count == 1)
    #expect(trapping("// never try! this\nlet s = \"try!\"").isEmpty)
  }

  @Test func whatDoesNotFitALibraryIsSeen() {
    #expect(unfitForLibrary("import Foundation").count == 1)
    #expect(unfitForLibrary("  print(1)").count == 1)
    #expect(unfitForLibrary("fingerprint(1) // print(2)").isEmpty)
  }

  @Test func longFunctionsAreSeen() {
    let body = String(repeating: "  f(\"}\") // }\n", count: functionLinesMax - 2)
    #expect(longFunctions("func a() {\n\(body)}\n").isEmpty)
    #expect(longFunctions("func a() {\n\(body)\n}\n").count == 1)
    #expect(longFunctions("init(\n  a: Int = { 1 }()\n) {\n\(body)}\n").count == 1)
    let text = "func a() -> String { \"\"\"\n{ \"\n\"\"\" }\nfunc b() {}\nfunc c()\n"
    #expect(SwiftSource(text).functions.map(\.name) == ["a", "b"])
  }

  @Test func otherRulesSee() {
    #expect(!opensWithComment("import Glibc\n"))
    #expect(opensWithComment("#!/usr/bin/env bash\n# What this is\n"))
    #expect(machinePaths("cd /ro" + "ot/x").count == 1)
    #expect(unfinished("// TO" + "DO: later").count == 1)
  }
}

/// Lines that would end the process on input.
private func trapping(_ text: String) -> [String] {
  SwiftSource(text).lines.filter { $0.contains("try!") || $0.contains("fatalError(") }
    .map(String.init)
}

private func unfitForLibrary(_ text: String) -> [String] {
  SwiftSource(text).lines.filter {
    $0.contains("import Foundation") || $0.firstMatch(of: /(^|[^\w.])(debugP|p)rint\(/) != nil
  }.map(String.init)
}

private func longFunctions(_ text: String) -> [String] {
  SwiftSource(text).functions.filter { $0.lineCount > functionLinesMax }
    .map { "\($0.name) at line \($0.firstLine) has \($0.lineCount) lines" }
}

private func opensWithComment(_ text: String) -> Bool {
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  let first = lines.first?.hasPrefix("#!") == true ? lines.dropFirst().first : lines.first
  return ["//", "# ", "\"\"\""].contains { first?.hasPrefix($0) == true }
}

private func machinePaths(_ text: String) -> [String] {
  text.matches(of: /\/(work|root|farm|home|Users)\/[\w.]+/).map { String($0.0) }
}

private func unfinished(_ text: String) -> [String] {
  text.matches(of: /\b(TODO|FIXME|XXX)\b/).map { String($0.0) }
}
