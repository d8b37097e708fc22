package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// The format is defined at the head of src/sim/history.ts.

type collection string

const (
	printers  collection = "printers"
	filaments collection = "filaments"
	jobs      collection = "print_jobs"
)

// ident is an id in the form in which it was given: 1 and "1" have the same key and differ in form.
type ident struct {
	key      string
	isNumber bool
}

func (id *ident) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &id.key)
	}
	n, err := strconv.ParseUint(string(text), 10, 53)
	if err != nil {
		return fmt.Errorf("%s is no id", text)
	}
	*id = ident{key: strconv.FormatUint(n, 10), isNumber: true}
	return nil
}

func (id ident) String() string {
	if id.isNumber {
		return id.key
	}
	return strconv.Quote(id.key)
}

// request is what a client asked: a command or a read.
type request struct {
	Kind       string     `json:"kind"`
	ID         *ident     `json:"id"`
	Key        string     `json:"key"`
	Expected   *[]int64   `json:"expected"`
	Changes    *changes   `json:"changes"`
	Company    string     `json:"company"`
	Model      string     `json:"model"`
	Type       string     `json:"type"`
	Color      string     `json:"color"`
	Total      int64      `json:"total_weight_in_grams"`
	Remaining  int64      `json:"remaining_weight_in_grams"`
	Filepath   string     `json:"filepath"`
	Weight     int64      `json:"print_weight_in_grams"`
	PrinterID  *ident     `json:"printer_id"`
	FilamentID *ident     `json:"filament_id"`
	To         string     `json:"to"`
	Collection collection `json:"collection"`
	Status     []string   `json:"status"`
}

type changes struct {
	Company   *string `json:"company"`
	Model     *string `json:"model"`
	Type      *string `json:"type"`
	Color     *string `json:"color"`
	Total     *int64  `json:"total_weight_in_grams"`
	Remaining *int64  `json:"remaining_weight_in_grams"`
}

func (r *request) isRead() bool { return r.Kind == "get" || r.Kind == "list" }

func (r *request) isCreate() bool {
	return r.Kind == "create-printer" || r.Kind == "create-filament" || r.Kind == "create-job"
}

// kindOf says which collection a request is about; empty for a request that nobody knows.
func (r *request) about() collection {
	switch r.Kind {
	case "get", "list":
		return r.Collection
	case "create-printer", "update-printer", "delete-printer":
		return printers
	case "create-filament", "update-filament", "delete-filament":
		return filaments
	case "create-job", "change-job-status":
		return jobs
	}
	return ""
}

// seen is an object as a client saw it.
type seen struct {
	object
	// The version at which it was created, 0 where the answer does not say.
	createdIndex int64
	raw          []byte
}

// detail is what a refusal says besides its code. What is absent is not checked.
type detail struct {
	ID        *ident   `json:"id"`
	From      *string  `json:"from"`
	To        *string  `json:"to"`
	Allowed   []string `json:"allowed"`
	Remaining *int64   `json:"remaining"`
	Reserved  *int64   `json:"reserved"`
	Asked     *int64   `json:"asked"`
	Total     *int64   `json:"total"`
	Jobs      *int64   `json:"jobs"`
	Version   *int64   `json:"version"`
	// Of an unknown reference: the state machine says fields, HTTP says errors.
	Fields []struct {
		Field string `json:"field"`
	} `json:"fields"`
	Errors []struct {
		Field string `json:"field"`
	} `json:"errors"`
}

type outcome string

const (
	done     outcome = "ok"
	rejected outcome = "rejected"
	unknown  outcome = "unknown"
	none     outcome = "none"
)

// operation is one request over all its tries, and what came of it.
type operation struct {
	line    int // its line in the history, from 1
	client  int
	call    int64
	ret     int64 // forever, if it never returned
	req     request
	outcome outcome
	object  *seen   // of a write, null if it deleted; of a get
	objects []*seen // of a list
	code    string
	detail  *detail
	raw     []byte

	// What evidence.go concludes, and search.go needs.
	index    int          // among the operations that the search places
	isLazy   bool         // an unknown outcome without evidence: may happen at any time after its call, or never
	version  int64        // of the write's log entry, where it is known
	assigned *ident       // the id that it was seen to get
	after    []*operation // those that saw that it had not happened yet
}

const forever = int64(1) << 62

// history is one run: the operations of all clients.
type history struct {
	name string
	ops  []*operation
	// Objects by their text: the same row is seen by many reads.
	objects map[string]*seen
}

func newHistory(name string) *history {
	return &history{name: name, objects: map[string]*seen{}}
}

type line struct {
	Client int             `json:"client"`
	Call   *int64          `json:"call"`
	Return *int64          `json:"return"`
	Op     json.RawMessage `json:"op"`
	Result json.RawMessage `json:"result"`
}

func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// add reads one line. What it cannot understand it refuses: a judge that guesses proves nothing.
func (h *history) add(text []byte) error {
	var l line
	if err := strict(text, &l); err != nil {
		return err
	}
	if l.Call == nil {
		return errors.New("there is no call")
	}
	op := &operation{line: len(h.ops) + 1, client: l.Client, call: *l.Call, ret: forever, raw: text}
	if l.Return != nil {
		op.ret = *l.Return
	}
	if op.ret < op.call || op.call <= -forever {
		return fmt.Errorf("it is called at %d and returns at %d", op.call, op.ret)
	}
	if err := strict(l.Op, &op.req); err != nil {
		return fmt.Errorf("op: %w", err)
	}
	if err := op.req.validate(); err != nil {
		return fmt.Errorf("op: %w", err)
	}
	if err := h.result(op, l.Result, l.Return != nil); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	h.ops = append(h.ops, op)
	return nil
}

func (r *request) validate() error {
	switch r.about() {
	case printers, filaments, jobs:
	default:
		return fmt.Errorf("kind %q of %q is not known", r.Kind, r.Collection)
	}
	switch {
	case r.Kind == "create-job" && (r.PrinterID == nil || r.FilamentID == nil):
		return errors.New("a job needs printer_id and filament_id")
	case (r.Kind == "update-printer" || r.Kind == "update-filament") && r.Changes == nil:
		return errors.New("an update needs changes")
	case r.Kind == "list" && r.Collection != jobs && (r.Status != nil || r.PrinterID != nil || r.FilamentID != nil):
		return errors.New("only jobs are filtered")
	case r.Kind == "change-job-status" && transitions[r.To] == nil:
		return fmt.Errorf("status %q is not known", r.To)
	}
	return nil
}

func (h *history) result(op *operation, text []byte, returned bool) error {
	var r struct {
		Kind    outcome         `json:"kind"`
		Object  json.RawMessage `json:"object"`
		Objects json.RawMessage `json:"objects"`
		Code    string          `json:"code"`
		Detail  json.RawMessage `json:"detail"`
	}
	if err := strict(text, &r); err != nil {
		return err
	}
	op.outcome = r.Kind
	if (r.Kind != unknown) != returned {
		return fmt.Errorf("kind %q does not go with its return", r.Kind)
	}
	switch r.Kind {
	case done:
		return h.answer(op, r.Object, r.Objects)
	case rejected:
		op.code = r.Code
		if r.Code == "" {
			return errors.New("there is no code")
		}
		if r.Detail != nil {
			op.detail = &detail{}
			return json.Unmarshal(r.Detail, op.detail)
		}
		return nil
	case unknown, none:
		return nil
	}
	return fmt.Errorf("kind %q is not known", r.Kind)
}

func (h *history) answer(op *operation, object, objects json.RawMessage) error {
	about := op.req.about()
	if op.req.Kind == "list" {
		var rows []json.RawMessage
		if err := json.Unmarshal(objects, &rows); err != nil {
			return fmt.Errorf("objects: %w", err)
		}
		for _, row := range rows {
			one, err := h.see(about, row)
			if err != nil {
				return err
			}
			op.objects = append(op.objects, one)
		}
		return nil
	}
	isDelete := op.req.Kind == "delete-printer" || op.req.Kind == "delete-filament"
	if isDelete {
		if !bytes.Equal(object, []byte("null")) {
			return errors.New("a delete answers with the object null")
		}
		return nil
	}
	var err error
	op.object, err = h.see(about, object)
	if err == nil && !op.req.isRead() {
		op.version = op.object.version
	}
	return err
}

func (h *history) see(about collection, text []byte) (*seen, error) {
	if known, ok := h.objects[string(about)+string(text)]; ok {
		return known, nil
	}
	var row struct {
		ID           *ident  `json:"id"`
		Version      int64   `json:"version"`
		CreatedIndex int64   `json:"created_index"`
		Company      *string `json:"company"`
		Model        *string `json:"model"`
		Type         *string `json:"type"`
		Color        *string `json:"color"`
		Total        *int64  `json:"total_weight_in_grams"`
		Remaining    *int64  `json:"remaining_weight_in_grams"`
		Reserved     *int64  `json:"reserved_weight_in_grams"`
		Available    *int64  `json:"available_weight_in_grams"`
		PrinterID    *ident  `json:"printer_id"`
		FilamentID   *ident  `json:"filament_id"`
		Filepath     *string `json:"filepath"`
		Weight       *int64  `json:"print_weight_in_grams"`
		Status       *string `json:"status"`
	}
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, fmt.Errorf("an object of %s: %w", about, err)
	}
	one := &seen{raw: text, createdIndex: row.CreatedIndex}
	one.about, one.version = about, row.Version
	lacks := row.ID == nil || row.Version <= 0
	switch about {
	case printers:
		if lacks = lacks || row.Company == nil || row.Model == nil; !lacks {
			one.company, one.model = *row.Company, *row.Model
		}
	case filaments:
		lacks = lacks || row.Type == nil || row.Color == nil || row.Total == nil || row.Remaining == nil || row.Reserved == nil
		if !lacks {
			one.material, one.color = *row.Type, *row.Color
			one.total, one.remaining, one.reserved = *row.Total, *row.Remaining, *row.Reserved
			if row.Available != nil && *row.Available != *row.Remaining-*row.Reserved {
				return nil, fmt.Errorf("available is not remaining without reserved: %s", text)
			}
		}
	case jobs:
		lacks = lacks || row.PrinterID == nil || row.FilamentID == nil || row.Filepath == nil || row.Weight == nil || row.Status == nil
		if !lacks {
			one.printer, one.filament = *row.PrinterID, *row.FilamentID
			one.filepath, one.weight, one.status = *row.Filepath, *row.Weight, *row.Status
		}
	}
	if lacks {
		return nil, fmt.Errorf("an object of %s lacks a field: %s", about, text)
	}
	one.id = *row.ID
	h.objects[string(about)+string(text)] = one
	return one, nil
}

// sameJSON compares two texts by what they mean, whatever the order of their fields.
func sameJSON(x, y []byte) bool {
	if bytes.Equal(x, y) {
		return true
	}
	var a, b any
	return json.Unmarshal(x, &a) == nil && json.Unmarshal(y, &b) == nil && reflect.DeepEqual(a, b)
}
