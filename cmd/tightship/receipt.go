package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/receipt"
	"github.com/tightship-dev/tightship/receipt/keys"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

func (a *app) receiptCommand() *cobra.Command {
	c := &cobra.Command{Use: "receipt", Short: "Check and read receipts"}
	c.AddCommand(a.receiptVerifyCommand(), a.receiptShowCommand())
	return c
}

type receiptFlags struct {
	key, image, container, policy, engine, output string
	maxAge                                        time.Duration
}

func (a *app) receiptVerifyCommand() *cobra.Command {
	var f receiptFlags
	c := &cobra.Command{
		Use:   "verify FILE [IMAGE]",
		Short: "Check that a receipt is genuine, fresh, and about this",
		Long: `Check the signature of a receipt, that it has not expired, and that its verdict is
proven; and of what is named, that it is the one that was proven: an image, a
container with its present settings on its present engine, kernel and runtime, or
a policy. An engine is asked only for an image by its name, or for a container.

The exit code is 0 when the receipt counts, 1 when it is refused, and 3 when it
could not be read.`,
		Example: `  tightship receipt verify agent.receipt.json --key release.key.pub my-agent:latest
  tightship receipt verify agent.receipt.json --key release.key.pub --image sha256:…
  tightship receipt verify web.receipt.json --key release.key.pub --container web --max-age 1h`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(errors.New("no receipt to check"), "`%s --help` shows how it is used", c.CommandPath())
			}
			return maxArgs(2, "receipt and one image")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runReceiptVerify(c, f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.key, "key", "", "public key `FILE` of whoever signed it")
	fl.StringVar(&f.image, "image", "", "the `IMAGE` that is to be the one proven: a name, or a digest, for which no engine is needed")
	fl.StringVar(&f.container, "container", "", "the container that is to be the one proven, by `NAME` or ID")
	fl.StringVar(&f.policy, "policy", "", "the policy `FILE` that it is to be proven under")
	fl.DurationVar(&f.maxAge, "max-age", 0, "refuse what is older than this `DURATION`, however long it counts")
	engineFlag(c, &f.engine, "`ENGINE` that has the image or the container: docker or oci (default docker where it answers)")
	fl.StringVarP(&f.output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

func (a *app) runReceiptVerify(c *cobra.Command, f receiptFlags, args []string) error {
	if len(args) == 2 {
		if f.image != "" {
			return withHint(errors.New("the image is named twice"), "leave --image out, or the argument")
		}
		f.image = args[1]
	}
	switch {
	case f.output != "text" && f.output != "json":
		return outputIsTextOrJSON(f.output)
	case f.key == "":
		return withHint(errors.New("no key to check the signature with"), "name the public key of whoever signed it: --key FILE.pub; `tightship receipt show` reads a receipt without one")
	case f.maxAge < 0:
		return withHint(fmt.Errorf("--max-age %v is no time at all", f.maxAge), "leave it out to go by the receipt's own date")
	}
	key, err := publicKey(f.key)
	if err != nil {
		return err
	}
	env, err := readReceipt(args[0])
	if err != nil {
		return err
	}
	x := receipt.Expect{Now: a.now(), MaxAge: f.maxAge}
	// What it is held against may hang on what it says, which counts once the
	// signature does.
	s, err := env.Verify(key, x)
	if err == nil || len(s.Subject) > 0 {
		if xerr := a.expect(c.Context(), &x, f, s); xerr != nil {
			return xerr
		}
		s, err = env.Verify(key, x)
	}
	var refused receipt.Refusals
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if f.output == "json" {
		err = printReceipt(c, args[0], s, refused)
	} else {
		err = a.sayReceipt(c, args[0], s, refused, keys.ID(key))
	}
	if err == nil && len(refused) > 0 {
		return verdict(exitFailed)
	}
	return err
}

func readReceipt(name string) (*receipt.Envelope, error) {
	data, _, err := readRegular(name, receipt.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("cannot read the receipt %s: %w", name, cause(err))
	}
	env, err := receipt.Parse(data)
	if err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "a receipt is a file that `tightship verify --receipt` wrote, unchanged")
	}
	return env, nil
}

var byDigest = regexp.MustCompile(`^(?:[^@]+@)?(sha256:[0-9a-f]{64})$`)

// expect fills in what the flags ask for.
func (a *app) expect(ctx context.Context, x *receipt.Expect, f receiptFlags, s receipt.Statement) error {
	if f.policy != "" {
		p, err := a.policy(f.policy, "")
		if err != nil {
			return err
		}
		x.Policy = effective(p, s)
	}
	if m := byDigest.FindStringSubmatch(f.image); m != nil {
		x.Image = m[1]
		f.image = ""
	}
	if f.image == "" && f.container == "" {
		return nil
	}
	if f.engine == "" && f.container != "" {
		f.engine = dockerEngine // the one that holds containers of others
	}
	var images []string
	if f.image != "" {
		images = append(images, f.image)
	}
	eng, err := a.engine(ctx, f.engine, images...)
	if err != nil {
		return err
	}
	defer eng.Close()
	if f.image != "" {
		img, err := eng.Image(ctx, f.image)
		if err != nil {
			return err
		}
		x.Image = img.ID
	}
	if f.container == "" {
		return nil
	}
	return expectContainer(ctx, x, f, eng)
}

func expectContainer(ctx context.Context, x *receipt.Expect, f receiptFlags, eng engine.Engine) error {
	info, err := eng.Info(ctx)
	if err != nil {
		return err
	}
	st, err := eng.Inspect(ctx, f.container)
	if err != nil {
		return fmt.Errorf("%w: %s", err, f.container)
	}
	if x.Image != "" && x.Image != st.Image {
		return withHint(fmt.Errorf("container %s is not made from that image, but from %s", f.container, st.Image), "leave the image out: the container's own is compared")
	}
	runtime := cmp.Or(st.Declared.Runtime, info.Runtime)
	program, err := verify.RuntimeDigest(info, runtime)
	if err != nil {
		program = "" // as in a receipt that says why it has none
	}
	x.Image, x.Container = st.Image, verify.Declared(st)
	x.Place = &receipt.Place{Engine: receipt.Engine{Name: info.Name, Version: info.Version}, Kernel: info.Kernel, Runtime: runtime, Program: program}
	return nil
}

// effective is the digest of a policy for the subject of a receipt: the image is
// named on the command line, and so is the runtime where the file names none.
func effective(p *policy.Policy, s receipt.Statement) string {
	own := *p
	own.Image = s.Predicate.Tightship.Image
	if _, named := p.Origins["runtime"]; !named {
		own.Runtime = s.Predicate.Tightship.Runtime.Name
	}
	return own.Digest()
}

// printReceipt is the outcome as JSON.
func printReceipt(c *cobra.Command, file string, s receipt.Statement, refused receipt.Refusals) error {
	type outcome struct {
		File     string             `json:"file"`
		Valid    bool               `json:"valid"`
		Refusals []receipt.Refusal  `json:"refusals"`
		Receipt  *receipt.Statement `json:"statement"` // null where the signature is not good
	}
	o := outcome{File: file, Valid: len(refused) == 0, Refusals: append([]receipt.Refusal{}, refused...)}
	if len(s.Subject) > 0 {
		o.Receipt = &s
	}
	return printJSON(c, "tightship.receipt-verify/v1", []outcome{o})
}

func (a *app) sayReceipt(c *cobra.Command, file string, s receipt.Statement, refused receipt.Refusals, id string) error {
	var b strings.Builder
	if len(refused) > 0 {
		fmt.Fprintf(&b, "REFUSED: %s\n", report.Sanitize(file, longestName))
		for _, r := range refused {
			a.hang(&b, "  "+r.Check+"  ", report.Sanitize(r.Reason, longestReason))
		}
	} else {
		fmt.Fprintf(&b, "VALID: %s, signed by key %s\n", report.Sanitize(file, longestName), id)
		a.describeReceipt(&b, s)
	}
	_, err := fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}

const (
	longestName   = 200
	longestReason = 2000
)
