package main

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/tightship-dev/tightship/report"
)

// rendering measures how long each format takes for a report of 1,000 checks and
// of 10,000, on one core: the time is the processor's, which a busy machine does
// not stretch.
func rendering(runs int) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	fmt.Println("rendering a report of 1,000 checks (first) and of 10,000 (second), processor time on one core")
	small, large := manyChecks(1000), manyChecks(10000)
	for _, f := range report.Formats() {
		var first, second []time.Duration
		for i := range runs + 1 {
			a, err := processorTime(f, small)
			if err != nil {
				return err
			}
			b, err := processorTime(f, large)
			if err != nil {
				return err
			}
			if i > 0 {
				first, second = append(first, a), append(second, b)
			}
		}
		fmt.Printf("  %-9s %s\n  %-9s %s  ratio of medians %.1f\n", f.Name, milliseconds(first), "", milliseconds(second), median(second).Seconds()/median(first).Seconds())
	}
	fmt.Print("  (goal: each under 1000 ms, and a ratio of about 10)\n\n")
	return nil
}

func manyChecks(n int) report.Report {
	verdicts := []string{"pass", "pass", "pass", "fail", "inconclusive", "accepted", "not-applicable"}
	r := report.Result{Subject: report.Subject{Image: "tightship-agent:latest", Engine: "docker", Runtime: "runc"}, Policy: "tightship.yaml", Started: time.Unix(0, 0)}
	for i := range n {
		r.Checks = append(r.Checks, report.Check{
			ID: fmt.Sprintf("section%d.check-%d", i%14, i), Title: "The root filesystem cannot be written", Section: fmt.Sprintf("section %d", i%14),
			Verdict: verdicts[i%len(verdicts)], Evidence: "exercised", Wanted: "read-only", Declared: "read-only", Kernel: "overlay / ro",
			Observed: "as uid 0, creating in /, /etc, /root: EROFS; control: creating in /tmp worked", Reason: "every attempt was refused with EROFS",
			Hint: "docker run --read-only; in tightship.yaml rootfs: read-only", Refs: []string{fmt.Sprintf("CIS-Docker 5.%d", i%40)}, Setting: "rootfs", Line: i + 1, DurationMS: 12,
		})
	}
	r.Summary = report.Summarize(r.Checks)
	return report.Report{Schema: report.Schema, Results: []report.Result{r}}
}

func processorTime(f report.Format, r report.Report) (time.Duration, error) {
	runtime.GC() // of what came before
	before, err := used()
	if err != nil {
		return 0, err
	}
	var b bytes.Buffer
	if err := f.Render(io.Writer(&b), r); err != nil {
		return 0, fmt.Errorf("%s: %w", f.Name, err)
	}
	after, err := used()
	return after - before, err
}

func used() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

func milliseconds(d []time.Duration) string {
	var parts []string
	for _, v := range d {
		parts = append(parts, fmt.Sprintf("%4d ms", v.Milliseconds()))
	}
	return strings.Join(parts, "  ")
}
