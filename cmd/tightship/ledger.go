package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/report"
)

func (a *app) ledgerCommand() *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "Check and read the record of what credentials were used for"}
	c.AddCommand(a.ledgerVerifyCommand(), a.ledgerShowCommand(), a.ledgerTailCommand(), a.ledgerExportCommand(), a.ledgerProveCommand(), a.ledgerCheckpointCommand())
	return c
}

// ledgerAt is which ledger is meant, and the key that it is held against.
type ledgerAt struct{ dir, key string }

func (l *ledgerAt) dirFlag(c *cobra.Command) {
	c.Flags().StringVar(&l.dir, "dir", "", "the ledger's `DIRECTORY` (default /var/lib/tightship/ledger for root, else tightship/ledger in the user's state directory)")
}

func (l *ledgerAt) flags(c *cobra.Command) {
	l.dirFlag(c)
	c.Flags().StringVar(&l.key, "key", "", "the ledger's verifier `KEY`, or a file that holds it (default: the .pub file beside the ledger)")
}

func (l *ledgerAt) directory() string {
	switch state := os.Getenv("XDG_STATE_HOME"); {
	case l.dir != "":
		return filepath.Clean(l.dir)
	case os.Getuid() == 0:
		return "/var/lib/tightship/ledger"
	case filepath.IsAbs(state):
		return filepath.Join(state, "tightship", "ledger")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "tightship", "ledger")
}

// verifierKey is the key itself: what --key says, what its file says, or what lies
// beside the ledger, which whoever may write there can replace.
func (l *ledgerAt) verifierKey() (string, error) {
	name := l.key
	if strings.Count(l.key, "+") >= 2 {
		return l.key, nil
	}
	if name == "" {
		name = ledger.KeyFileOf(l.directory()) + ".pub"
	}
	data, _, err := readRegular(name, maxKeyFile)
	if errors.Is(err, fs.ErrNotExist) && l.key == "" {
		if _, err := os.Stat(l.directory()); err != nil {
			return "", noLedger(fmt.Errorf("%w in %s", ledger.ErrNone, l.directory()))
		}
	}
	if err != nil {
		return "", withHint(fmt.Errorf("cannot read the ledger's verifier key %s: %w", name, cause(err)), "name it with --key KEY; it was printed when the ledger was made")
	}
	return strings.TrimSpace(string(data)), nil
}

// noLedger adds what to do to the errors that a wrong directory or key makes.
func noLedger(err error) error {
	switch {
	case errors.Is(err, ledger.ErrNone):
		return withHint(err, "name the directory with --dir; `tightship broker serve` makes a ledger")
	case errors.Is(err, ledger.ErrKey):
		return withHint(err, "a verifier key looks like tightship.dev/ledger/0123456789abcdef+01234567+…")
	case errors.Is(err, ledger.ErrTampered):
		return withHint(err, "`tightship ledger verify` says what was changed, and where")
	case errors.Is(err, fs.ErrPermission):
		return withHint(err, "run as the user whom the ledger belongs to")
	}
	return err
}

func (a *app) ledgerVerifyCommand() *cobra.Command {
	var at ledgerAt
	var checkpoint, output string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Find whatever was changed in a ledger",
		Long: `Read a whole ledger and find what is not as it was written: records changed,
removed, inserted, duplicated or moved, a tail that was cut off, segments swapped or
missing, an outcome that no intent announced, another key, a checkpoint that was
rolled back. Each is named with its file, line and record. An intent without an
outcome is listed and is no error: a crash looks like that.

Whoever can write to the ledger and to the key beside it can replace both, and
whoever cuts off the tail can put back the checkpoint of that time. So keep the
verifier key and a copy of the checkpoints somewhere else, and name them here.

The exit code is 0 when the ledger is intact, 1 when it is not, and 3 when it could
not be read.`,
		Example: `  tightship ledger verify
  tightship ledger verify --dir /srv/ledger --key ledger.key.pub --checkpoint /mnt/witness/checkpoints`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return outputIsTextOrJSON(output)
			}
			key, err := at.verifierKey()
			if err != nil {
				return err
			}
			o := ledger.VerifyOptions{Key: key}
			if checkpoint != "" {
				data, _, err := readRegular(checkpoint, maxCheckpoints)
				if err != nil {
					return fmt.Errorf("cannot read the checkpoints %s: %w", checkpoint, cause(err))
				}
				o.Checkpoints = map[string][]byte{checkpoint: data}
			}
			r, err := ledger.Verify(c.Context(), at.directory(), o)
			if err != nil {
				return noLedger(err)
			}
			if output == "json" {
				type result struct {
					Dir    string `json:"dir"`
					Intact bool   `json:"intact"`
					ledger.Result
				}
				err = printJSON(c, "tightship.ledger-verify/v1", []result{{at.directory(), r.Intact(), r}})
			} else {
				err = a.sayLedger(c, at.directory(), r)
			}
			if err == nil && !r.Intact() {
				return verdict(exitFailed)
			}
			return err
		},
	}
	at.flags(c)
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "a copied checkpoint, or the `FILE` that checkpoints were copied to")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

// maxCheckpoints is how long a file of copied checkpoints may be.
const maxCheckpoints = 256 << 20

func (a *app) sayLedger(c *cobra.Command, dir string, r ledger.Result) error {
	var b strings.Builder
	state := "INTACT"
	if !r.Intact() {
		state = "TAMPERED"
	}
	a.hang(&b, state+": ", report.Sanitize(fmt.Sprintf("%s: %s in %s, %d of them covered by a checkpoint", dir, count(r.Records, "record"), count(r.Segments, "segment"), r.Checkpoint-min(r.First, r.Checkpoint)), longestReason))
	if r.First > 0 {
		a.hang(&b, "  ", fmt.Sprintf("the first record kept is %d: the ones before were dropped, which is recorded", r.First))
	}
	for _, f := range r.Findings {
		a.hang(&b, "  ", report.Sanitize(f.String(), longestReason))
	}
	if r.MoreFindings > 0 {
		fmt.Fprintf(&b, "  and %d more\n", r.MoreFindings)
	}
	for _, f := range r.Notes {
		a.hang(&b, "  note: ", report.Sanitize(f.String(), longestReason))
	}
	if r.MoreNotes > 0 {
		fmt.Fprintf(&b, "  and %d more notes\n", r.MoreNotes)
	}
	_, err := fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}

// count is a number of things in words.
func count[N int | uint64](n N, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (a *app) ledgerCheckpointCommand() *cobra.Command {
	var at ledgerAt
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the newest signed checkpoint",
		Long: `Print the newest checkpoint of a ledger, a signed note in the form of
c2sp.org/tlog-checkpoint, to keep where whoever may write to the ledger may not. The
key that verifies it goes to standard error.`,
		Example: `  tightship ledger checkpoint >> /mnt/witness/checkpoints`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := at.verifierKey()
			if err != nil {
				return err
			}
			cp, err := ledger.NewestCheckpoint(at.directory(), key)
			if err != nil {
				return noLedger(err)
			}
			a.ui.note("verifier key: %s", key)
			_, err = c.OutOrStdout().Write(cp.Note)
			return err
		},
	}
	at.flags(c)
	return c
}

func (a *app) ledgerProveCommand() *cobra.Command {
	var at ledgerAt
	var file string
	c := &cobra.Command{
		Use:   "prove [N]",
		Short: "Prove that a record is in the ledger, or check such a proof",
		Long: `Print a proof that record N is in the ledger that the newest checkpoint was signed
for: the record, the hashes that lead to the root, and the checkpoint. Whoever has
the proof and the verifier key needs nothing else to check it, with --check: the
exit code is then 0 when it holds and 1 when it does not.`,
		Example: `  tightship ledger prove 17 > proof.json
  tightship ledger prove --check proof.json --key ledger.key.pub`,
		Args: maxArgs(1, "record's number"),
		RunE: func(c *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return withHint(errors.New("name a record, or a proof to check"), "`%s --help` shows how it is used", c.CommandPath())
			}
			key, err := at.verifierKey()
			if err != nil {
				return err
			}
			if file != "" {
				return a.checkLedgerProof(c, file, key)
			}
			seq, err := strconv.ParseUint(args[0], 10, 63)
			if err != nil {
				return withHint(fmt.Errorf("%q is no record's number", args[0]), "`tightship ledger show` lists them")
			}
			p, err := ledger.Prove(c.Context(), at.directory(), key, seq)
			if errors.Is(err, ledger.ErrNotCovered) {
				return withHint(err, "the ledger writes a checkpoint every few seconds, and when it is closed")
			}
			if err != nil {
				return noLedger(err)
			}
			// Not indented: the record's bytes are what is proven.
			return print(c, func() ([]byte, error) {
				b, err := json.Marshal(ledgerProofs{ledgerProofSchema, []ledger.Proof{p}})
				return append(b, '\n'), err
			})
		},
	}
	at.flags(c)
	c.Flags().StringVar(&file, "check", "", "check the proof in `FILE`")
	return c
}

const ledgerProofSchema = "tightship.ledger-proof/v1"

type ledgerProofs struct {
	Schema  string         `json:"schema"`
	Results []ledger.Proof `json:"results"`
}

func (a *app) checkLedgerProof(c *cobra.Command, file, key string) error {
	data, _, err := readRegular(file, 16<<20)
	if err != nil {
		return fmt.Errorf("cannot read the proof %s: %w", file, cause(err))
	}
	var all ledgerProofs
	if err := json.Unmarshal(data, &all); err != nil || all.Schema != ledgerProofSchema || len(all.Results) == 0 {
		return withHint(fmt.Errorf("%s is no proof", file), "`tightship ledger prove N` writes one")
	}
	for _, p := range all.Results {
		r, cp, err := p.Check(key)
		if errors.Is(err, ledger.ErrTampered) {
			if _, err := fmt.Fprintf(c.OutOrStdout(), "NOT PROVEN: %s\n", report.Sanitize(err.Error(), longestReason)); err != nil {
				return err
			}
			return verdict(exitFailed)
		}
		if err != nil {
			return noLedger(err)
		}
		var b strings.Builder
		a.hang(&b, "PROVEN: ", report.Sanitize(fmt.Sprintf("record %d is among the first %d of %s", r.Seq, cp.Size, cp.Origin), longestReason))
		if _, err := fmt.Fprint(c.OutOrStdout(), b.String()); err != nil {
			return err
		}
	}
	return nil
}
