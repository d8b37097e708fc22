// The judge says whether what the clients of a print farm were told can be explained by one order of
// their requests, each at a moment between its call and its return: whether the history is linearizable.
// It reads histories from its standard input, line by line (the format stands at the head of
// src/sim/history.ts), and answers each with a line of JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

func main() {
	limit := flag.Duration("timeout", time.Minute, "time for each history; after it, the answer is undecided")
	steps := flag.Int("steps", 20_000_000, "steps of the search for each history; after them, the answer is undecided")
	pictures := flag.String("visualize", "", "folder for a page (HTML) of each history that is not ok")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "judge: %s is not understood; histories come from the standard input\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := serve(os.Stdin, os.Stdout, limits{*limit, *steps, ""}, *pictures); err != nil {
		fmt.Fprintf(os.Stderr, "judge: %v\n", err)
		os.Exit(1)
	}
}

// header begins a history, or ends it.
type header struct {
	History *string `json:"history"`
	End     *string `json:"end"`
}

// serve answers each history when it has ended: with its own end, the next beginning, or the input.
// A history with a line that cannot be understood is malformed, and is read to its end.
func serve(in io.Reader, out io.Writer, l limits, pictures string) error {
	lines := bufio.NewReaderSize(in, 1<<20)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	var current *history
	var problem error
	count := 0
	finish := func() error {
		if current == nil {
			return nil
		}
		count++
		verdict := answer{History: current.name, Verdict: malformed, Operations: len(current.ops)}
		if problem != nil {
			verdict.Reason = fmt.Sprintf("line %d: %v", len(current.ops)+1, problem)
		} else {
			if pictures != "" {
				l.picture = filepath.Join(pictures, fmt.Sprintf("%d.html", count))
			}
			verdict = current.judge(l)
		}
		current, problem = nil, nil
		return answers.Encode(verdict)
	}
	for {
		text, err := lines.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			var h header
			isHeader := bytes.HasPrefix(text, []byte(`{"history"`)) || bytes.HasPrefix(text, []byte(`{"end"`))
			switch {
			case isHeader:
				if err := strict(text, &h); err != nil {
					return fmt.Errorf("%s: %w", text, err)
				}
				if err := finish(); err != nil {
					return err
				}
				if h.History != nil {
					current = newHistory(*h.History)
				}
			case current == nil:
				return errors.New("an operation stands before the beginning of a history")
			case problem == nil:
				problem = current.add(text)
			}
		}
		if errors.Is(err, io.EOF) {
			return finish()
		}
		if err != nil {
			return err
		}
	}
}
