package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// proofs measures a proof over all mutations against as many verifications, and
// what the program needs of memory for ten mutants and for all.
func proofs(image, tightship string, runs int) error {
	out, err := exec.Command(tightship, "prove", "--list", "-o", "json").Output()
	if err != nil {
		return err
	}
	var list struct {
		Results []struct{ ID string }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return err
	}
	few := []string{tightship, "prove", image, "--quiet"}
	for _, m := range list.Results[:min(10, len(list.Results))] {
		few = append(few, "--mutation", m.ID)
	}
	all := []string{tightship, "prove", image, "--quiet"}
	n := len(list.Results)
	var proof, one []time.Duration
	var most int64
	for range max(runs/2, 1) {
		kib, t, err := peak(all)
		if err != nil {
			return err
		}
		proof, most = append(proof, t), max(most, kib)
		for range 3 {
			t, err := clock([]string{tightship, "verify", image, "--quiet"})
			if err != nil {
				return err
			}
			one = append(one, t)
		}
	}
	kib, _, err := peak(few)
	if err != nil {
		return err
	}
	fmt.Printf("prove over all %d mutations\n  against %d times one verify\n", n, n)
	fmt.Printf("  %-8s %s\n  %-8s %s\n", "prove", raw(proof), "verify", raw(one))
	fmt.Printf("  ratio of medians %.2f (goal: at most 0.6)\n", median(proof).Seconds()/(float64(n)*median(one).Seconds()))
	fmt.Printf("  memory of the program: %.1f MiB for 10 mutants, %.1f MiB for %d (goal: flat)\n\n", float64(kib)/1024, float64(most)/1024, n)
	return nil
}

// peak runs a command to its end and returns its resident memory at most, in KiB.
func peak(argv []string) (int64, time.Duration, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss, time.Since(start), nil
}
