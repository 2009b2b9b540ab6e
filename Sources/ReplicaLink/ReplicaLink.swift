// ReplicaLink: connections, RESP, the replica handshake, the stream and the spool.
