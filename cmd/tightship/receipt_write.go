package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/receipt"
	"github.com/tightship-dev/tightship/report"
)

// receiptOut is what `verify` is told about a receipt.
type receiptOut struct {
	file, key string
	ttl       time.Duration
	unlock    unlock
}

// defaultTTL is how long a receipt counts.
const defaultTTL = 24 * time.Hour

func (r *receiptOut) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.file, "receipt", "", "write a signed receipt of the result to `FILE`, whatever the verdict")
	c.Flags().StringVar(&r.key, "key", "", "private key `FILE` that signs the receipt (tightship key generate)")
	c.Flags().DurationVar(&r.ttl, "receipt-ttl", defaultTTL, "how long the receipt counts, as `DURATION`")
	r.unlock.flags(c)
}

// sink is where the receipt goes. The key is read before anything is started, so
// that no long run ends with a key that cannot be used.
func (r receiptOut) sink(ctx context.Context, f verifyFlags) (s sink[report.Report], err error) {
	switch {
	case r.key == "":
		return s, withHint(errors.New("--receipt needs a key that signs it"), "--key FILE; `tightship key generate` makes one")
	case r.ttl < time.Second:
		return s, withHint(fmt.Errorf("--receipt-ttl %v is no time at all", r.ttl), "the default is %v", defaultTTL)
	case len(f.only)+len(f.skip) > 0:
		return s, withHint(receipt.ErrPartial, "leave --only and --skip out; what need not hold is for the policy to accept")
	case f.all || len(f.labels) > 0:
		return s, withHint(errors.New("a receipt is about one image or container"), "verify each by itself, with a --receipt of its own")
	case isStdout(r.file):
		return s, withHint(errors.New("a receipt goes to a file"), "--receipt FILE")
	}
	key, err := r.unlock.privateKey(ctx, r.key)
	if err != nil {
		return s, err
	}
	render := func(w io.Writer, rep report.Report) error {
		if len(rep.Results) != 1 {
			return fmt.Errorf("%d results do not make one receipt", len(rep.Results))
		}
		st, err := receipt.New(rep.Results[0], receipt.Options{Version: versionString(), TTL: r.ttl})
		if err != nil {
			return err
		}
		data, err := receipt.Sign(st, key)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	return sink[report.Report]{name: r.file, format: "receipt", render: render}, nil
}

// add puts the receipt among the outputs, if there is to be one.
func (r receiptOut) add(ctx context.Context, out *outputs, f verifyFlags, images []string) error {
	if r.file == "" {
		if r.key != "" {
			return withHint(errors.New("--key signs a receipt, and none is asked for"), "add --receipt FILE")
		}
		return nil
	}
	if len(images)+len(f.containers) > 1 {
		return withHint(fmt.Errorf("a receipt is about one image or container, and these are %d", len(images)+len(f.containers)), "verify each by itself, with a --receipt of its own")
	}
	s, err := r.sink(ctx, f)
	if err == nil {
		out.files = append(out.files, s)
	}
	return err
}
