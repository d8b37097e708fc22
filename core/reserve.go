package main

import (
	"runtime"
	"runtime/metrics"
)

// Go's heap takes memory from the host in steps of up to 4 MiB. Each step past 64 MiB makes V8 collect garbage in
// the whole of its own heap: when a WebAssembly memory grows, V8 counts all of it as gone and then as new, and so
// much new memory outside of its heap sets a collection off. A node of a large farm did that several times a
// second. So memory is taken in few large steps, ahead of need, and the first one before there is anything to
// keep: taking it ends with a collection of garbage, which takes the longer the more entries are kept.

const (
	// reserveStep is enough for the entries of a large farm. What lies idle costs nothing until it is written to.
	reserveStep = 512 << 20
	// reserveTicks is how often it is looked for.
	reserveTicks = 8
)

// reserved keeps what is taken in view of the compiler, which could do without it otherwise.
var reserved []byte

var heapSamples = []metrics.Sample{
	{Name: "/memory/classes/total:bytes"},
	{Name: "/gc/heap/goal:bytes"},
}

// isShort says whether it is time to take more: goal is what the heap grows to before garbage is collected again.
func isShort(total, goal uint64) bool {
	return total < reserveStep || goal > total/4*3
}

// reserveMemory looks whether memory will run short, and takes more. The array it is taken with is never touched
// and garbage at once. It is collected at once, too, or Go would take it for a part of what there is to keep, and
// let twice as much gather before it collects again.
func reserveMemory() {
	metrics.Read(heapSamples)
	if isShort(heapSamples[0].Value.Uint64(), heapSamples[1].Value.Uint64()) {
		reserved = make([]byte, reserveStep)
		reserved = nil
		runtime.GC()
	}
}
