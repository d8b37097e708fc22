//go:build wasip1

package main

import "unsafe"

// The functions the host calls. Two buffers cross the boundary, and the mailbox says where they are: the
// host writes its argument into the first and finds the answer in the second; both hold until the next
// call. Everything is synchronous; nothing here keeps a reference to the input.

// inputBytes has room for what a node is mostly told: a message, some commands.
const inputBytes = 1 << 16

// mailbox is five little-endian words. The host asks for its address once (Go moves no variable) and reads
// them straight from memory, which costs far less than a call.
var mailbox struct {
	input, inputBytes   uint32 // where an argument goes, and how much fits; core_input makes room for more
	output, outputBytes uint32 // the answer of the last call that gave one
	due                 uint32 // 1 if the group called last has work for the host: core_ready
}

var (
	input  []byte
	output writer
	groups []*Group // a handle is an index; handles are never used twice
)

//go:wasmimport raft3d log
func hostLog(level uint32, line unsafe.Pointer, length uint32)

func logger(handle uint32) hostLogger {
	return hostLogger{emit: func(level uint32, line string) {
		if len(line) > 0 {
			hostLog(level|handle<<8, unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
		}
	}}
}

func group(handle uint32) *Group {
	if int(handle) >= len(groups) {
		return nil
	}
	return groups[handle]
}

// call runs a call on a group that has been started, and notes whether work is due after it.
func call(handle uint32, run func(g *Group) int32) int32 {
	g := group(handle)
	if g == nil || g.node == nil {
		noteDue(false)
		return statusNoSuchGroup
	}
	status := run(g)
	noteDue(g.IsDue())
	return status
}

func noteDue(due bool) {
	mailbox.due = 0
	if due {
		mailbox.due = 1
	}
}

// answer shows the host what was written to output, and returns its length.
func answer() int32 {
	mailbox.output = address(output.buf)
	mailbox.outputBytes = uint32(len(output.buf))
	return int32(len(output.buf))
}

func fail(err error) int32 {
	output.buf = append(output.buf[:0], err.Error()...)
	answer()
	return statusInvalidState
}

func address(buf []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))) }

//go:wasmexport core_abi
func coreABI() uint32 { return 3 }

//go:wasmexport core_mailbox
func coreMailbox() uint32 {
	coreInput(inputBytes)
	return uint32(uintptr(unsafe.Pointer(&mailbox)))
}

// core_input makes room for an argument that does not fit.
//
//go:wasmexport core_input
func coreInput(length uint32) {
	if int(length) > len(input) {
		input = make([]byte, (length+65535)&^65535)
	}
	mailbox.input, mailbox.inputBytes = address(input), uint32(len(input))
}

//go:wasmexport core_open
func coreOpen(length uint32) int32 {
	handle := uint32(len(groups))
	g, err := Open(input[:length], logger(handle))
	if err != nil {
		return fail(err)
	}
	groups = append(groups, g)
	return int32(handle)
}

//go:wasmexport core_load
func coreLoad(handle, length uint32) int32 {
	g := group(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	if err := g.Load(input[:length]); err != nil {
		return fail(err)
	}
	return 0
}

//go:wasmexport core_start
func coreStart(handle uint32) int32 {
	g := group(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	if err := g.Start(); err != nil {
		return fail(err)
	}
	noteDue(g.IsDue())
	return 0
}

//go:wasmexport core_close
func coreClose(handle uint32) int32 {
	if group(handle) == nil {
		return statusNoSuchGroup
	}
	groups[handle] = nil
	return 0
}

//go:wasmexport core_tick
func coreTick(handle uint32) int32 {
	return call(handle, func(g *Group) int32 {
		g.Tick()
		if g.ticks%collectTicks == 0 {
			letCollect()
		}
		return 0
	})
}

//go:wasmexport core_campaign
func coreCampaign(handle uint32) int32 {
	return call(handle, func(g *Group) int32 {
		if g.node.Campaign() != nil {
			return statusDropped
		}
		return 0
	})
}

//go:wasmexport core_propose
func corePropose(handle, length uint32) int32 {
	return call(handle, func(g *Group) int32 { return g.Propose(input[:length]) })
}

//go:wasmexport core_step
func coreStep(handle, from, length, withSnapshot uint32) int32 {
	return call(handle, func(g *Group) int32 {
		return g.Step(uint64(from), input[:length], withSnapshot != 0)
	})
}

//go:wasmexport core_read_index
func coreReadIndex(handle, length uint32) int32 {
	return call(handle, func(g *Group) int32 {
		g.ReadIndex(input[:length])
		return 0
	})
}

// core_ready is called when work is due. It knows whether more is, so the group is not asked again.
//
//go:wasmexport core_ready
func coreReady(handle uint32) int32 {
	g := group(handle)
	if g == nil || g.node == nil {
		return statusNoSuchGroup
	}
	output.buf = output.buf[:0]
	noteDue(g.Take(&output))
	return answer()
}

//go:wasmexport core_appended
func coreAppended(handle, ticket uint32) int32 {
	return call(handle, func(g *Group) int32 { return g.Appended(ticket) })
}

//go:wasmexport core_applied
func coreApplied(handle, ticket uint32) int32 {
	return call(handle, func(g *Group) int32 { return g.Applied(ticket) })
}

//go:wasmexport core_snapshotted
func coreSnapshotted(handle, length uint32) int32 {
	return call(handle, func(g *Group) int32 { return g.Snapshotted(input[:length]) })
}

//go:wasmexport core_compact
func coreCompact(handle uint32, index uint64) int32 {
	return call(handle, func(g *Group) int32 { return g.Compact(index) })
}

//go:wasmexport core_propose_conf_change
func coreProposeConfChange(handle, length uint32) int32 {
	return call(handle, func(g *Group) int32 { return g.ProposeConfChange(input[:length]) })
}

//go:wasmexport core_apply_conf_change
func coreApplyConfChange(handle, entryType, length uint32) int32 {
	return call(handle, func(g *Group) int32 {
		output.buf = output.buf[:0]
		if status := g.ApplyConfChange(uint8(entryType), input[:length], &output); status < 0 {
			return status
		}
		return answer()
	})
}

//go:wasmexport core_report_unreachable
func coreReportUnreachable(handle, id uint32) int32 {
	return call(handle, func(g *Group) int32 {
		g.node.ReportUnreachable(uint64(id))
		return 0
	})
}

//go:wasmexport core_report_snapshot
func coreReportSnapshot(handle, id, ok uint32) int32 {
	return call(handle, func(g *Group) int32 {
		g.reportSnapshot(uint64(id), ok != 0)
		return 0
	})
}

//go:wasmexport core_transfer_leader
func coreTransferLeader(handle, to uint32) int32 {
	return call(handle, func(g *Group) int32 {
		g.node.TransferLeader(uint64(to))
		return 0
	})
}

//go:wasmexport core_status
func coreStatus(handle uint32) int32 {
	return call(handle, func(g *Group) int32 {
		output.buf = output.buf[:0]
		g.Status(&output)
		return answer()
	})
}
