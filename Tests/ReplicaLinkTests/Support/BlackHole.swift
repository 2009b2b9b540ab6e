// A port where connection attempts go unanswered, as behind a firewall that drops them.

@testable import ReplicaLink

/// A listener whose queue is full: the system drops what knocks.
struct BlackHole {
  let master: FakeMaster
  private let guests: [Guest]

  private final class Guest: Sendable {
    let socket: Socket
    init(_ socket: consuming Socket) { self.socket = socket }
  }

  init() throws {
    master = try FakeMaster(backlog: 0)
    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: master.port)
    var guests: [Guest] = []
    while guests.count < 10 {
      do {
        guests.append(Guest(try Socket.connect(to: endpoint, tls: nil, timeoutMilliseconds: 100)))
      } catch {
        guard error.code == .timedOut else { throw error }
        self.guests = guests
        return
      }
    }
    throw PlayError(description: "the queue of connections does not fill")
  }
}
