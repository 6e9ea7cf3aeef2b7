//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// intent is a record as the broker writes it before each use.
func intent() ledger.Entry {
	return ledger.Entry{
		Kind: ledger.Intent, Sandbox: sandboxName, Container: strings.Repeat("0123456789abcdef", 4),
		Credential: "bench", Route: prefix, Method: "POST", Path: path, Decision: "allowed", Rule: "credentials[bench].allow[0]",
	}
}

// fill appends records to a new ledger, by so many writers at the same time, and says
// how long that took.
func fill(ctx context.Context, dir string, writers, records int) (took time.Duration, key string, err error) {
	// One segment: those that are full are compressed, and would be other bytes.
	l, err := ledger.Open(dir, ledger.Options{SegmentBytes: 1 << 40})
	if err != nil {
		return 0, "", err
	}
	errs := make([]error, writers)
	var all sync.WaitGroup
	begin := time.Now()
	for w := range writers {
		all.Go(func() {
			for range records / writers {
				if _, err := l.Append(ctx, intent()); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	all.Wait()
	took = time.Since(begin)
	return took, l.VerifierKey(), errors.Join(append(errs, l.Close())...)
}

// appends compares the ledger with the least that any ledger must do: to write a
// record of each writer as one, and to sync that.
func (b *bench) appends(ctx context.Context) error {
	const writers, rounds = 64, 100
	var ours, theirs []float64
	for i := range b.runs + 1 {
		dir := b.file(fmt.Sprintf("ledger-%d", i))
		took, _, err := fill(ctx, dir, writers, writers*rounds)
		if err != nil {
			return err
		}
		files, err := segments(dir)
		if err != nil {
			return err
		}
		size, err := hashed(files, io.Discard)
		if err != nil {
			return err
		}
		batch := make([]byte, size/rounds)
		raw, err := syncing(b.file("raw"), batch, rounds, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(ledger.KeyFileOf(dir))); err != nil {
			return err
		}
		var sum time.Duration
		for _, d := range raw {
			sum += d
		}
		if i > 0 {
			ours = append(ours, writers*rounds/took.Seconds())
			theirs = append(theirs, writers*rounds/sum.Seconds())
		}
	}
	compare(fmt.Sprintf("ledger appends/s, %d writers", writers),
		fmt.Sprintf("write and fsync of %d records as one, by one writer", writers), ours, theirs, "/s", "at least 0.7")
	fmt.Println()
	return nil
}

// syncing appends a batch to a file and syncs it, so many times with a pause after each,
// and says how long each took.
func syncing(file string, batch []byte, times int, pause time.Duration) ([]time.Duration, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	defer f.Close()
	took := make([]time.Duration, times)
	for i := range took {
		begin := time.Now()
		if _, err := f.Write(batch); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took[i] = time.Since(begin)
		time.Sleep(pause)
	}
	return took, nil
}

// segments are the files that a ledger's records are in, as they were written.
func segments(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no segments", dir)
	}
	return files, err
}

// hashed copies files into a hash.
func hashed(files []string, into io.Writer) (sum int64, err error) {
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return 0, err
		}
		n, err := io.CopyBuffer(into, struct{ io.Reader }{f}, make([]byte, 1<<20))
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// verify compares ledger verify with a hash of the same bytes, which any check of
// them must compute at least.
func (b *bench) verify(ctx context.Context) error {
	const writers = 2000 // only to have it written soon
	dir := b.file("ledger-verified")
	_, key, err := fill(ctx, dir, writers, b.records)
	if err != nil {
		return err
	}
	files, err := segments(dir)
	if err != nil {
		return err
	}
	var ours, theirs []float64
	for i := range b.runs + 1 {
		begin := time.Now()
		result, err := ledger.Verify(ctx, dir, ledger.VerifyOptions{Key: key})
		if err != nil {
			return err
		}
		ourTime := time.Since(begin)
		if len(result.Findings) > 0 || result.Records < uint64(b.records/writers*writers) {
			return fmt.Errorf("the ledger that was just written does not verify: %+v", result.Findings)
		}
		begin = time.Now()
		size, err := hashed(files, sha256.New())
		if err != nil {
			return err
		}
		if i > 0 {
			ours = append(ours, float64(size)/1e6/ourTime.Seconds())
			theirs = append(theirs, float64(size)/1e6/time.Since(begin).Seconds())
		}
	}
	compare(fmt.Sprintf("ledger verify, %d records", b.records), "SHA-256 of the same files", ours, theirs, "MB/s", "at least 0.5")
	fmt.Println()
	return nil
}
