// Command core is the consensus core of Raft3D: etcd's RawNode and MemoryStorage behind a small
// WebAssembly interface. No rule of Raft is written here; this module only carries bytes in and out
// of go.etcd.io/raft/v3. Who owns what, the order of calls and what a trap means are written down in
// src/raft/BOUNDARY.md.
//
// The module is a reactor: the host calls _initialize once, then the exported functions of abi.go.
package main

func main() {}
