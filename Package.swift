// swift-tools-version: 6.2
// migr8sync: two libraries and a program, no package dependency (the owner's decision; see ARCHITECTURE.md).

import Glibc
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

/// Whether OpenSSL's headers are here. Without them everything builds, and `rediss://` says how to get
/// them. MIGR8SYNC_TLS=off in the environment leaves TLS out where they are.
let hasOpenSSL: Bool = {
  if Context.environment["MIGR8SYNC_TLS"] == "off" { return false }
  let packages = Context.environment["PKG_CONFIG_PATH"]?.split(separator: ":") ?? []
  let candidates =
    ["/usr/include/openssl/ssl.h", "/usr/local/include/openssl/ssl.h"]
    + packages.map { "\($0)/openssl.pc" }
  return candidates.contains { access($0, R_OK) == 0 }
}()

let openSSL: [Target] =
  hasOpenSSL ? [.systemLibrary(name: "COpenSSL", pkgConfig: "openssl")] : []

let package = Package(
  name: "migr8sync",
  products: [
    .library(name: "RDBParser", targets: ["RDBParser"]),
    .library(name: "ReplicaLink", targets: ["ReplicaLink"]),
    .executable(name: "migr8sync", targets: ["Migr8Sync"]),
  ],
  targets: openSSL + [
    .systemLibrary(name: "CIntrinsics"),
    .target(name: "RDBParser", dependencies: ["CIntrinsics"], swiftSettings: strict),
    .target(
      name: "ReplicaLink", dependencies: hasOpenSSL ? ["COpenSSL"] : [], swiftSettings: strict),
    .executableTarget(
      name: "Migr8Sync", dependencies: ["RDBParser", "ReplicaLink"], swiftSettings: strict),
    .testTarget(name: "RDBParserTests", dependencies: ["RDBParser"], swiftSettings: strict),
    .testTarget(name: "ReplicaLinkTests", dependencies: ["ReplicaLink"], swiftSettings: strict),
    .testTarget(
      name: "Migr8SyncTests", dependencies: ["Migr8Sync", "RDBParser", "ReplicaLink"],
      swiftSettings: strict),
    .testTarget(name: "IntegrationTests", dependencies: ["ReplicaLink"], swiftSettings: strict),
    .testTarget(name: "RepositoryTests", swiftSettings: strict),
  ]
)
