package main

import (
	"fmt"
	"strings"
	"testing"
)

// Histories written by hand, each with one violation planted, beside its right twin. They are written
// in a short form: `client call-return: request -> answer`, of which only the parts that matter vary.

type script struct{ lines []fields }

func (s *script) add(call, ret int64, op fields, result fields) *script {
	line := fields{"client": len(s.lines), "call": call, "return": ret, "op": op, "result": result}
	if result["kind"] == "unknown" {
		line["return"] = nil
	}
	s.lines = append(s.lines, line)
	return s
}

func ok(object any) fields         { return fields{"kind": "ok", "object": object} }
func rows(all ...any) fields       { return fields{"kind": "ok", "objects": append([]any{}, all...)} }
func refused(code string) fields   { return fields{"kind": "rejected", "code": code} }
func lost() fields                 { return fields{"kind": "unknown"} }
func never() fields                { return fields{"kind": "none"} }
func get(about, key string) fields { return fields{"kind": "get", "collection": about, "key": key} }
func listOf(about string) fields   { return fields{"kind": "list", "collection": about} }
func newPrinter(company string) fields {
	return fields{"kind": "create-printer", "id": nil, "company": company, "model": "X"}
}
func newSpool(color string, total int) fields {
	return fields{
		"kind": "create-filament", "id": nil, "type": "PLA", "color": color,
		"total_weight_in_grams": total, "remaining_weight_in_grams": total,
	}
}
func newJob(path string, weight int) fields {
	return fields{
		"kind": "create-job", "id": nil, "printer_id": 1, "filament_id": 1,
		"filepath": path, "print_weight_in_grams": weight,
	}
}
func become(key, to string) fields {
	return fields{"kind": "change-job-status", "key": key, "expected": nil, "to": to}
}
func rename(key, company string) fields {
	return fields{"kind": "update-printer", "key": key, "expected": nil, "changes": fields{"company": company}}
}
func remodel(key, model string) fields {
	return fields{"kind": "update-printer", "key": key, "expected": nil, "changes": fields{"model": model}}
}
func drop(kind, key string) fields {
	return fields{"kind": "delete-" + kind, "key": key, "expected": nil}
}

func printer(id, version int, company string) fields {
	return fields{"id": id, "version": version, "company": company, "model": "X"}
}
func spool(version, remaining, reserved int) fields {
	return fields{
		"id": 1, "version": version, "type": "PLA", "color": "red", "total_weight_in_grams": 1000,
		"remaining_weight_in_grams": remaining, "reserved_weight_in_grams": reserved,
	}
}
func job(id, version int, path string, weight int, status string) fields {
	return fields{
		"id": id, "version": version, "printer_id": 1, "filament_id": 1, "filepath": path,
		"print_weight_in_grams": weight, "status": status,
	}
}

// farmed begins with printer 1 (index 1) and spool 1 of 1000 g (index 2), before moment 10.
func farmed() *script {
	return (&script{}).add(1, 2, newPrinter("A"), ok(printer(1, 1, "A"))).
		add(3, 4, newSpool("red", 1000), ok(spool(2, 1000, 0)))
}

// queued goes on with job 1 of 600 g (index 3), before moment 20.
func queued() *script {
	return farmed().add(11, 12, newJob("a", 600), ok(job(1, 3, "a", 600, "Queued")))
}

// running goes on with that job, before moment 30, at index 4.
func running() *script {
	return queued().add(21, 22, become("1", "Running"), ok(job(1, 4, "a", 600, "Running")))
}

// finished goes on with that job Done, before moment 40, at index 5.
func finished() *script {
	return running().add(31, 32, become("1", "Done"), ok(job(1, 5, "a", 600, "Done")))
}

var planted = []struct {
	name    string
	is      verdict
	history *script
}{
	{"everything in a row", legal, finished().
		add(41, 42, get("filaments", "1"), ok(spool(5, 400, 0))).
		add(43, 44, newJob("b", 401), refused("not_enough_filament")).
		add(45, 46, newJob("b", 400), ok(job(2, 7, "b", 400, "Queued"))).
		add(47, 48, drop("printer", "1"), refused("in_use")).
		add(49, 50, become("2", "Canceled"), ok(job(2, 9, "b", 400, "Canceled"))).
		add(51, 52, drop("printer", "1"), ok(nil)).
		add(53, 54, get("printers", "1"), refused("not_found")).
		add(55, 56, newPrinter("C"), ok(printer(2, 11, "C"))).
		add(57, 58, listOf("print_jobs"), rows(job(1, 5, "a", 600, "Done"), job(2, 9, "b", 400, "Canceled")))},

	{"lost update: a later change shows what an earlier one replaced", illegal, farmed().
		add(11, 12, rename("1", "B"), ok(printer(1, 3, "B"))).
		add(13, 14, remodel("1", "Y"), ok(fields{"id": 1, "version": 4, "company": "A", "model": "Y"}))},
	{"lost write: acknowledged, and not in the list", illegal, farmed().
		add(11, 12, newPrinter("B"), ok(printer(2, 3, "B"))).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A")))},
	{"not yet written: the list was asked for at the same time", legal, farmed().
		add(11, 13, newPrinter("B"), ok(printer(2, 3, "B"))).
		add(12, 14, listOf("printers"), rows(printer(1, 1, "A")))},

	{"stale read", illegal, running().add(31, 32, get("print_jobs", "1"), ok(job(1, 3, "a", 600, "Queued")))},
	{"an old value while it changes", legal, queued().
		add(21, 25, become("1", "Running"), ok(job(1, 4, "a", 600, "Running"))).
		add(22, 23, get("print_jobs", "1"), ok(job(1, 3, "a", 600, "Queued")))},
	{"a read that goes back in time between two clients", illegal, queued().
		add(21, 40, become("1", "Running"), ok(job(1, 4, "a", 600, "Running"))).
		add(22, 23, get("print_jobs", "1"), ok(job(1, 4, "a", 600, "Running"))).
		add(24, 25, get("print_jobs", "1"), ok(job(1, 3, "a", 600, "Queued")))},
	{"a list and a get that go back in time", illegal, farmed().
		add(11, 40, newPrinter("B"), lost()).
		add(12, 13, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B"))).
		add(14, 15, get("printers", "2"), refused("not_found"))},

	{"doubled write: one request, two objects", illegal, farmed().
		add(11, 12, newPrinter("B"), ok(printer(2, 3, "B"))).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B"), printer(3, 4, "B")))},
	{"an unknown outcome, done", legal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B")))},
	{"an unknown outcome, not done", legal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"))).
		add(15, 16, newPrinter("C"), ok(printer(2, 3, "C")))},
	{"an unknown outcome, done later", legal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"))).
		add(15, 16, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B")))},
	{"an unknown outcome, done and never seen: an id is missing", legal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, newPrinter("C"), ok(printer(3, 4, "C")))},
	{"an unknown outcome, done twice", illegal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B"), printer(3, 4, "B")))},
	{"an unknown outcome, done twice, seen by the ids alone", illegal, farmed().
		add(11, 0, newPrinter("B"), lost()).
		add(13, 14, newPrinter("C"), ok(printer(4, 5, "C")))},
	{"an unknown outcome, done before it was asked for", illegal, farmed().
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B"))).
		add(15, 0, newPrinter("B"), lost())},
	{"a none that was done", illegal, farmed().
		add(11, 12, newPrinter("B"), never()).
		add(13, 14, listOf("printers"), rows(printer(1, 1, "A"), printer(2, 3, "B")))},
	{"a none that reserves", illegal, farmed().
		add(11, 12, newJob("a", 600), never()).
		add(13, 14, get("filaments", "1"), ok(spool(3, 1000, 600)))},
	{"an unknown job that reserves", legal, farmed().
		add(11, 0, newJob("a", 600), lost()).
		add(13, 14, get("filaments", "1"), ok(spool(3, 1000, 600))).
		add(15, 16, newJob("b", 600), refused("not_enough_filament"))},
	{"an unknown job that reserves twice", illegal, farmed().
		add(11, 0, newJob("a", 300), lost()).
		add(13, 14, get("filaments", "1"), ok(spool(4, 1000, 600)))},

	{"double deduction", illegal, finished().add(41, 42, get("filaments", "1"), ok(spool(6, -200, 0)))},
	{"double deduction of what fits", illegal, farmed().
		add(11, 12, newJob("a", 300), ok(job(1, 3, "a", 300, "Queued"))).
		add(13, 14, become("1", "Running"), ok(job(1, 4, "a", 300, "Running"))).
		add(15, 16, become("1", "Done"), ok(job(1, 5, "a", 300, "Done"))).
		add(17, 18, get("filaments", "1"), ok(spool(6, 400, 0)))},
	{"no deduction", illegal, finished().add(41, 42, get("filaments", "1"), ok(spool(5, 1000, 0)))},
	{"a canceled job that keeps its grams", illegal, running().
		add(31, 32, become("1", "Canceled"), ok(job(1, 5, "a", 600, "Canceled"))).
		add(33, 34, get("filaments", "1"), ok(spool(5, 1000, 600)))},

	{"over-reservation accepted", illegal, queued().add(21, 22, newJob("b", 401), ok(job(2, 4, "b", 401, "Queued")))},
	{"over-reservation accepted by two at once", illegal, farmed().
		add(11, 20, newJob("a", 600), ok(job(1, 3, "a", 600, "Queued"))).
		add(12, 21, newJob("b", 600), ok(job(2, 4, "b", 600, "Queued")))},
	{"one of two at once is refused", legal, farmed().
		add(11, 20, newJob("a", 600), refused("not_enough_filament")).
		add(12, 21, newJob("b", 600), ok(job(1, 4, "b", 600, "Queued")))},
	{"right job refused", illegal, queued().add(21, 22, newJob("b", 400), refused("not_enough_filament"))},
	{"a refusal that says wrong numbers", illegal, queued().add(21, 22, newJob("b", 500), fields{
		"kind": "rejected", "code": "not_enough_filament", "detail": fields{"remaining": 1000, "reserved": 500, "asked": 500},
	})},
	{"a job on a printer that is gone", illegal, farmed().
		add(11, 12, drop("printer", "1"), ok(nil)).
		add(13, 14, newJob("a", 1), ok(job(1, 4, "a", 1, "Queued")))},
	{"a printer deleted under its job", illegal, queued().add(21, 22, drop("printer", "1"), ok(nil))},

	{"job Done twice", illegal, finished().add(41, 42, become("1", "Done"), ok(job(1, 6, "a", 600, "Done")))},
	{"job Done twice at once", illegal, running().
		add(31, 40, become("1", "Done"), ok(job(1, 5, "a", 600, "Done"))).
		add(32, 41, become("1", "Done"), ok(job(1, 6, "a", 600, "Done")))},
	{"job Done by one of two at once", legal, running().
		add(31, 40, become("1", "Done"), ok(job(1, 5, "a", 600, "Done"))).
		add(32, 41, become("1", "Done"), refused("transition_not_allowed"))},
	{"job Done from Queued", illegal, queued().add(21, 22, become("1", "Done"), ok(job(1, 4, "a", 600, "Done")))},
	{"resurrected job", illegal, finished().add(41, 42, become("1", "Running"), ok(job(1, 6, "a", 600, "Running")))},
	{"resurrected job, seen", illegal, finished().add(41, 42, get("print_jobs", "1"), ok(job(1, 6, "a", 600, "Running")))},
	{"resurrected job, though a Running of unknown outcome is about", illegal, finished().
		add(33, 0, become("1", "Running"), lost()).
		add(41, 42, get("print_jobs", "1"), ok(job(1, 6, "a", 600, "Running")))},
	{"a job that nobody set Running is Done", illegal, queued().
		add(21, 0, become("1", "Done"), lost()).
		add(23, 24, get("print_jobs", "1"), ok(job(1, 5, "a", 600, "Done")))},
	{"a job set Running and Done, both unknown", legal, queued().
		add(21, 0, become("1", "Running"), lost()).add(22, 0, become("1", "Done"), lost()).
		add(23, 24, get("print_jobs", "1"), ok(job(1, 5, "a", 600, "Done"))).
		add(25, 26, get("filaments", "1"), ok(spool(5, 400, 0)))},

	{"an id handed out twice", illegal, farmed().
		add(11, 20, newPrinter("B"), ok(printer(2, 3, "B"))).
		add(12, 21, newPrinter("C"), ok(printer(2, 4, "C")))},
	{"an id that goes back", illegal, farmed().
		add(11, 12, drop("printer", "1"), ok(nil)).
		add(13, 14, newPrinter("B"), ok(printer(1, 4, "B")))},
	{"an id that is skipped", illegal, farmed().add(11, 12, newPrinter("B"), ok(printer(3, 3, "B")))},
	{"one index for two writes", illegal, farmed().
		add(11, 12, newPrinter("B"), ok(printer(2, 3, "B"))).
		add(13, 14, newPrinter("C"), ok(printer(3, 3, "C")))},
	{"an index that goes back", illegal, farmed().
		add(11, 12, newPrinter("B"), ok(printer(2, 9, "B"))).
		add(13, 14, newPrinter("C"), ok(printer(3, 8, "C")))},
	{"one version, two contents", illegal, farmed().
		add(11, 12, get("printers", "1"), ok(printer(1, 1, "A"))).
		add(13, 14, get("printers", "1"), ok(fields{"id": 1, "version": 1, "company": "A", "model": "X", "created_at": "now"}))},

	{"list missing an object", illegal, finished().
		add(41, 42, newJob("b", 1), ok(job(2, 6, "b", 1, "Queued"))).
		add(43, 44, listOf("print_jobs"), rows(job(2, 6, "b", 1, "Queued")))},
	{"list by filament missing an object", illegal, queued().
		add(21, 22, fields{"kind": "list", "collection": "print_jobs", "filament_id": "1"}, rows())},
	{"list by another filament", legal, queued().
		add(21, 22, fields{"kind": "list", "collection": "print_jobs", "filament_id": 2}, rows())},
	{"a list that mixes two moments", illegal, farmed().
		add(11, 12, newJob("a", 1), ok(job(1, 3, "a", 1, "Queued"))).
		add(13, 14, newJob("b", 1), ok(job(2, 4, "b", 1, "Queued"))).
		add(21, 30, become("1", "Running"), ok(job(1, 5, "a", 1, "Running"))).
		add(31, 40, become("2", "Running"), ok(job(2, 6, "b", 1, "Running"))).
		add(22, 41, listOf("print_jobs"), rows(job(1, 3, "a", 1, "Queued"), job(2, 6, "b", 1, "Running")))},

	{"a deletion of unknown outcome, done", legal, farmed().
		add(11, 0, drop("printer", "1"), lost()).
		add(13, 14, listOf("printers"), rows())},
	{"a deletion of unknown outcome that comes and goes", illegal, farmed().
		add(11, 0, drop("printer", "1"), lost()).
		add(13, 14, listOf("printers"), rows()).
		add(15, 16, get("printers", "1"), ok(printer(1, 1, "A")))},
	{"a change of unknown outcome that comes and goes", illegal, farmed().
		add(11, 0, rename("1", "B"), lost()).
		add(13, 14, get("printers", "1"), ok(printer(1, 3, "B"))).
		add(15, 16, get("printers", "1"), ok(printer(1, 1, "A")))},
	{"an expected version that is old is accepted", illegal, queued().
		add(21, 22, become("1", "Running"), ok(job(1, 4, "a", 600, "Running"))).
		add(23, 24, fields{"kind": "change-job-status", "key": "1", "expected": []int{3}, "to": "Done"}, ok(job(1, 5, "a", 600, "Done")))},
	{"an expected version that is right is refused", illegal, queued().
		add(21, 22, fields{"kind": "change-job-status", "key": "1", "expected": []int{3}, "to": "Running"}, refused("version_mismatch"))},
}

func TestPlanted(t *testing.T) {
	for _, one := range planted {
		t.Run(one.name, func(t *testing.T) {
			a := judgeLines(t, one.history.lines)
			if a.Verdict != one.is {
				t.Fatalf("%s, not %s: %+v", a.Verdict, one.is, a)
			}
			if a.Verdict == illegal && (len(a.Unplaced) == 0 || a.Unplaced[0].Because == "" || a.Unplaced[0].Because == wrong) {
				t.Fatalf("it does not say why: %+v", a)
			}
		})
	}
}

func TestAnIllegalHistoryNamesWhatCannotBePlaced(t *testing.T) {
	a := judgeLines(t, running().add(31, 32, get("print_jobs", "1"), ok(job(1, 3, "a", 600, "Queued"))).lines)
	if a.Placed != 4 || a.Required != 5 || len(a.Unplaced) != 1 || a.Unplaced[0].Line != 5 {
		t.Fatalf("%+v", a)
	}
	if because := a.Unplaced[0].Because; because != "print_jobs/1 is of version 4, not 3" {
		t.Fatal(because)
	}
}

func TestWhatRunsOutIsUndecided(t *testing.T) {
	h, err := read(finished().lines)
	if err != nil {
		t.Fatal(err)
	}
	a := h.judge(limits{time: testLimits.time, steps: 3})
	if a.Verdict != undecided || a.Reason == "" {
		t.Fatalf("%+v", a)
	}
}

func TestServeAnswersEachHistoryWhenItEnds(t *testing.T) {
	var in strings.Builder
	fmt.Fprintln(&in, `{"history":"one"}`)
	fmt.Fprintln(&in, `{"client":1,"call":1,"return":2,"op":{"kind":"list","collection":"printers"},"result":{"kind":"ok","objects":[]}}`)
	fmt.Fprintln(&in, `{"end":"one"}`)
	fmt.Fprintln(&in, `{"history":"two"}`)
	fmt.Fprintln(&in, `{"client":1,"call":2,"return":1,"op":{"kind":"list","collection":"printers"},"result":{"kind":"ok","objects":[]}}`)
	fmt.Fprintln(&in, `{"history":"three"}`)
	fmt.Fprint(&in, `{"client":1,"call":1,"return":2,"op":{"kind":"get","collection":"printers","key":"1"},"result":{"kind":"ok","object":{"id":1,"version":3,"company":"c","model":"m"}}}`)
	var out strings.Builder
	pictures := t.TempDir()
	if err := serve(strings.NewReader(in.String()), &out, testLimits, pictures); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`"history":"one","verdict":"ok"`,
		`"history":"two","verdict":"malformed","reason":"line 1: it is called at 2 and returns at 1"`,
		`"history":"three","verdict":"illegal"`,
	}
	if len(lines) != len(want) {
		t.Fatal(out.String())
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("%s has no %s", lines[i], want[i])
		}
	}
	if !strings.Contains(lines[2], pictures) {
		t.Errorf("no picture was drawn: %s", lines[2])
	}
}
