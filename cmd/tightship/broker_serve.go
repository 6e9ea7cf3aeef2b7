package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/broker"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/secret"
)

func (a *app) brokerServeCommand() *cobra.Command {
	var s serving
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the broker until it is stopped",
		Long: `Run the broker until it is stopped. Each use of a credential is recorded in the
ledger before the credential is attached; where that is not possible, it is not
used.

The policy is read again when its file changes, on SIGHUP and on
` + "`tightship broker reload`" + `. Connections stay. A policy that is not right changes
nothing.`,
		Example:           "  tightship broker serve\n  tightship broker serve --policy tightship.yaml --state /run/tightship --ledger /var/lib/tightship/ledger",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return a.brokerServe(c, s) },
	}
	c.Flags().StringVar(&s.policy, "policy", "", "policy `FILE`, in place of "+policyFile)
	stateFlag(c, &s.state)
	c.Flags().StringVar(&s.ledger, "ledger", "", "the ledger's `DIRECTORY`, in place of /var/lib/tightship/ledger for root and ~/.local/state/tightship/ledger")
	c.Flags().StringArrayVar(&s.copies, "checkpoint-copy", nil, "append each checkpoint of the ledger to `FILE` as well, best on another machine's disk (may be repeated)")
	c.Flags().IntVar(&s.keep, "ledger-keep", 0, "keep the newest `N` segments of the ledger, of 64 MiB each, besides the one being written (default all)")
	c.Flags().StringVar(&s.log, "log", "text", "`FORMAT` of the log on standard error: text or json")
	complete(c, "log", "text", "json")
	return c
}

// serving is the flags of broker serve.
type serving struct {
	policy, state, ledger, log string
	copies                     []string
	keep                       int
}

func (a *app) brokerServe(c *cobra.Command, s serving) (err error) {
	log, err := logger(c, s.log)
	if err != nil {
		return err
	}
	// Before any value is in memory.
	if err := secret.Harden(); err != nil {
		log.Warn("the process could not be hardened", "error", err)
	}
	path := s.policy
	if path == "" {
		path = policyFile
	}
	load := func() (*policy.Policy, error) { return a.policy(path, "") }
	stamp := stampOf(path) // before it is read, so that no change is missed
	p, err := load()
	if err != nil {
		return err
	}
	dir, err := stateDir(s.state)
	if err != nil {
		return err
	}
	records, err := ledgerDir(s.ledger)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(records), 0o700); err != nil {
		return err
	}
	if s.keep < 0 {
		return withHint(fmt.Errorf("--ledger-keep %d is no number of segments", s.keep), "leave it out to keep all of them")
	}
	l, err := ledger.Open(records, ledger.Options{Copies: s.copies, KeepSegments: s.keep})
	if err != nil {
		return withHint(fmt.Errorf("the ledger %s cannot be opened: %w", records, err), "name another directory with --ledger")
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	b, err := broker.New(broker.Options{
		Dir: dir, Policy: p, Ledger: l, Load: load, Open: opener(p), Resolve: a.resolver(),
		Revoked: records + ".revoked",
		Past:    func(from uint64, f func(ledger.Record)) error { return ledger.Each(c.Context(), records, from, f) },
		Notify:  notify(log),
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(c.Context())
	defer stop(nil)
	go reloads(ctx, path, stamp, b, log)
	if err := b.Serve(ctx); err != nil {
		return err
	}
	return context.Cause(c.Context())
}

// notify logs what the broker says, so that whoever filters by level sees what wants a
// look.
func notify(log *slog.Logger) func(broker.Notice) {
	levels := map[string]slog.Level{
		"ledger.broken": slog.LevelError, "ledger.failed": slog.LevelError, "request.panicked": slog.LevelError,
		"accept.failed": slog.LevelWarn, "caller.refused": slog.LevelWarn,
	}
	return func(n broker.Notice) {
		var about []any
		if n.Sandbox != "" {
			about = append(about, "sandbox", n.Sandbox)
		}
		if n.Text != "" {
			about = append(about, "text", n.Text)
		}
		log.Log(context.Background(), levels[n.What], n.What, about...)
	}
}

func logger(c *cobra.Command, format string) (*slog.Logger, error) {
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(c.ErrOrStderr(), nil)), nil
	case "text":
		return slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil)), nil
	}
	return nil, outputIsTextOrJSON(format)
}

// opener makes the sources of the policy's credentials.
func opener(p *policy.Policy) func(policy.Credential, func()) (broker.Secret, error) {
	return func(cr policy.Credential, changed func()) (broker.Secret, error) {
		src, err := secret.Open(cr.From, secret.Options{Name: cr.Name, BaseDir: filepath.Dir(p.Source)})
		if err != nil {
			return nil, err
		}
		return secret.NewKeeper(src, secret.KeeperOptions{Changed: changed}), nil
	}
}

// resolver asks Docker where a container is. It is reached when it is needed: a broker
// serves its sandboxes without one.
func (a *app) resolver() func(context.Context, string) (string, int, error) {
	return func(ctx context.Context, container string) (string, int, error) {
		e, err := a.newEngine(ctx, dockerEngine)
		if err != nil {
			return "", 0, err
		}
		defer e.Close()
		s, err := e.Inspect(ctx, container)
		if err != nil {
			return "", 0, err
		}
		return s.ID, s.PID, nil
	}
}

// lookEvery is how often the policy's file is looked at.
const lookEvery = 2 * time.Second

// reloads puts the policy to work again on SIGHUP and when its file has changed.
func reloads(ctx context.Context, path, last string, b *broker.Broker, log *slog.Logger) {
	signal.Reset(syscall.SIGHUP) // which ends every other command
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		case <-tick.C:
			now := stampOf(path)
			if now == last {
				continue
			}
			last = now
		}
		if err := b.ReloadFile(ctx); err != nil {
			log.Error("reloading failed", "error", err)
		}
	}
}

// stampOf changes when a file does, and when another one takes its place.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	place := uint64(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		place = st.Ino
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), place)
}
