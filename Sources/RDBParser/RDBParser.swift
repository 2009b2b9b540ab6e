// RDBParser: bytes of an RDB snapshot in, entries out. No sockets, no files, no Foundation.
