//go:build wasip1

package main

import "unsafe"

// The functions the host calls. Two buffers cross the boundary: the host writes its argument where
// core_input tells it to, and finds the answer at core_output; both addresses hold until the next
// call. Everything is synchronous; nothing here keeps a reference to the input.

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

// running returns the group if it has been started.
func running(handle uint32) *Group {
	if g := group(handle); g != nil && g.node != nil {
		return g
	}
	return nil
}

func fail(err error) int32 {
	output.buf = append(output.buf[:0], err.Error()...)
	return statusInvalidState
}

//go:wasmexport core_abi
func coreABI() uint32 { return 1 }

//go:wasmexport core_input
func coreInput(length uint32) uint32 {
	if int(length) > len(input) {
		input = make([]byte, (length+65535)&^65535)
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(input))))
}

//go:wasmexport core_output
func coreOutput() uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(output.buf))))
}

//go:wasmexport core_output_length
func coreOutputLength() uint32 { return uint32(len(output.buf)) }

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
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	g.node.Tick()
	return 0
}

//go:wasmexport core_campaign
func coreCampaign(handle uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	if g.node.Campaign() != nil {
		return statusDropped
	}
	return 0
}

//go:wasmexport core_propose
func corePropose(handle, length uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Propose(input[:length])
}

//go:wasmexport core_step
func coreStep(handle uint32, from uint64, length, withSnapshot uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Step(from, input[:length], withSnapshot != 0)
}

//go:wasmexport core_read_index
func coreReadIndex(handle, length uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	g.ReadIndex(input[:length])
	return 0
}

//go:wasmexport core_ready
func coreReady(handle uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	output.buf = output.buf[:0]
	if !g.Ready(&output) {
		return 0
	}
	return int32(len(output.buf))
}

//go:wasmexport core_appended
func coreAppended(handle, ticket uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Appended(ticket)
}

//go:wasmexport core_applied
func coreApplied(handle, ticket uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Applied(ticket)
}

//go:wasmexport core_snapshotted
func coreSnapshotted(handle, length uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Snapshotted(input[:length])
}

//go:wasmexport core_compact
func coreCompact(handle uint32, index uint64) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.Compact(index)
}

//go:wasmexport core_propose_conf_change
func coreProposeConfChange(handle, length uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	return g.ProposeConfChange(input[:length])
}

//go:wasmexport core_apply_conf_change
func coreApplyConfChange(handle, entryType, length uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	output.buf = output.buf[:0]
	return g.ApplyConfChange(uint8(entryType), input[:length], &output)
}

//go:wasmexport core_report_unreachable
func coreReportUnreachable(handle uint32, id uint64) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	g.node.ReportUnreachable(id)
	return 0
}

//go:wasmexport core_report_snapshot
func coreReportSnapshot(handle uint32, id uint64, ok uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	g.reportSnapshot(id, ok != 0)
	return 0
}

//go:wasmexport core_transfer_leader
func coreTransferLeader(handle uint32, to uint64) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	g.node.TransferLeader(to)
	return 0
}

//go:wasmexport core_status
func coreStatus(handle uint32) int32 {
	g := running(handle)
	if g == nil {
		return statusNoSuchGroup
	}
	output.buf = output.buf[:0]
	g.Status(&output)
	return int32(len(output.buf))
}
