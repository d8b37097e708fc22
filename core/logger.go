package main

import "fmt"

// Levels of the host's log, in src/raft/core.ts.
const (
	levelDebug uint32 = iota
	levelInfo
	levelWarn
	levelError
)

// hostLogger gives raft's own log lines to the host. A broken invariant inside raft (Panic, Fatal) is
// logged and then panics for real: the instance traps, and the host must never use it again.
type hostLogger struct {
	emit func(level uint32, line string)
}

func (l hostLogger) Debug(v ...any)            { l.emit(levelDebug, fmt.Sprint(v...)) }
func (l hostLogger) Debugf(f string, v ...any) { l.emit(levelDebug, fmt.Sprintf(f, v...)) }
func (l hostLogger) Info(v ...any)             { l.emit(levelInfo, fmt.Sprint(v...)) }
func (l hostLogger) Infof(f string, v ...any)  { l.emit(levelInfo, fmt.Sprintf(f, v...)) }
func (l hostLogger) Warning(v ...any)          { l.emit(levelWarn, fmt.Sprint(v...)) }
func (l hostLogger) Warningf(f string, v ...any) {
	l.emit(levelWarn, fmt.Sprintf(f, v...))
}
func (l hostLogger) Error(v ...any)            { l.emit(levelError, fmt.Sprint(v...)) }
func (l hostLogger) Errorf(f string, v ...any) { l.emit(levelError, fmt.Sprintf(f, v...)) }
func (l hostLogger) Fatal(v ...any)            { l.die(fmt.Sprint(v...)) }
func (l hostLogger) Fatalf(f string, v ...any) { l.die(fmt.Sprintf(f, v...)) }
func (l hostLogger) Panic(v ...any)            { l.die(fmt.Sprint(v...)) }
func (l hostLogger) Panicf(f string, v ...any) { l.die(fmt.Sprintf(f, v...)) }

func (l hostLogger) die(line string) {
	l.emit(levelError, line)
	panic(line)
}
