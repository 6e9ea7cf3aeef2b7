package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Append with 64 writers against writing and syncing batches that are as large:
// the ratio of their records/s is what counts.
func BenchmarkAppend(b *testing.B) {
	const writers = 64
	dir := b.TempDir()
	var batch, size float64
	b.Run("ledger", func(b *testing.B) {
		counted := &counting{layer: system{}}
		path := filepath.Join(dir, "ledger")
		_ = os.RemoveAll(path)
		_ = os.Remove(KeyFileOf(path))
		l, err := Open(path, Options{layer: counted})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		before := counted.writes
		b.ResetTimer()
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				e := intent(w)
				for range b.N / writers {
					if _, err := l.Append(context.Background(), e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		batch = float64(b.N/writers*writers) / float64(counted.writes-before)
		size = float64(counted.bytes) / float64(counted.writes)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(batch, "records/sync")
	})
	b.Run("raw", func(b *testing.B) {
		f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		data := bytes.Repeat([]byte("x"), int(size))
		for i := 0.0; i < float64(b.N); i += batch {
			if _, err := f.Write(data); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}

// counting counts the writes to segments.
type counting struct {
	layer
	writes, bytes int
}

type countingFile struct {
	file
	c *counting
}

func (c *counting) open(path string, flag int, perm os.FileMode) (file, error) {
	f, err := c.layer.open(path, flag, perm)
	if filepath.Ext(path) == plain && err == nil {
		return countingFile{f, c}, nil
	}
	return f, err
}

func (f countingFile) Write(p []byte) (int, error) {
	f.c.writes++
	f.c.bytes += len(p)
	return f.file.Write(p)
}

// Verify, which uses several cores, against SHA-256 of the same bytes, which is one
// chain of blocks and cannot: the ratio of MB/s.
func BenchmarkVerify(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "ledger")
	l, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() { fill(b, l, 200) })
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, segmentName(0, plain)))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			intact(b, dir, VerifyOptions{Key: l.VerifierKey()})
		}
	})
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			sha256.Sum256(data)
		}
	})
}
