// swift-tools-version: 6.2
// migr8sync: three targets, no package dependency (the owner's decision; see ARCHITECTURE.md).

import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "migr8sync",
  products: [
    .library(name: "RDBParser", targets: ["RDBParser"]),
    .library(name: "ReplicaLink", targets: ["ReplicaLink"]),
    .executable(name: "migr8sync", targets: ["Migr8Sync"]),
  ],
  targets: [
    .target(name: "RDBParser", swiftSettings: strict),
    .target(name: "ReplicaLink", swiftSettings: strict),
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
