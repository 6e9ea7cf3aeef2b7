package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/receipt/keys"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Keys that sign receipts"}
	c.AddCommand(a.keyGenerateCommand())
	return c
}

func (a *app) keyGenerateCommand() *cobra.Command {
	var out, recipient string
	var passphrase bool
	var u unlock
	c := &cobra.Command{
		Use:   "generate",
		Short: "Make a key that signs receipts",
		Long: `Make an Ed25519 key and print its ID. The private key goes to FILE, which only its
owner can read, and the public one, for whoever checks receipts, to FILE.pub.
Nothing is ever overwritten.

With --age-recipient or --passphrase the private key is encrypted, as an age file.`,
		Example: `  tightship key generate --out release.key
  tightship key generate --age-recipient age1…
  tightship key generate --passphrase`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if passphrase && recipient != "" {
				return withHint(errors.New("--age-recipient and --passphrase contradict each other"), "leave one of them out")
			}
			var to []age.Recipient
			var err error
			switch {
			case recipient != "":
				if to, err = keys.Recipients(recipient); err != nil {
					return withHint(fmt.Errorf("--age-recipient %s: %w", recipient, err), "age-keygen prints one, which begins with age1")
				}
			case passphrase || u.passphraseFile != "":
				p, err := u.passphrase(c.Context(), "the new key", true)
				if err != nil {
					return err
				}
				r, err := keys.ForPassphrase(p)
				if err != nil {
					return err
				}
				to = append(to, r)
			}
			id, err := generateKey(out, to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "key ID       %s\nprivate key  %s\npublic key   %s\n", id, out, out+".pub")
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "tightship.key", "write the private key to `FILE`, and the public one to FILE.pub")
	c.Flags().StringVar(&recipient, "age-recipient", "", "encrypt the private key for this age `RECIPIENT`")
	c.Flags().BoolVar(&passphrase, "passphrase", false, "encrypt the private key with a passphrase, which is asked for")
	c.Flags().StringVar(&u.passphraseFile, "passphrase-file", "", "encrypt it with the passphrase in `FILE`, as /dev/fd/3")
	return c
}

// generateKey writes a new key into two files, or into none, and returns its ID.
func generateKey(out string, to []age.Recipient) (string, error) {
	key, err := keys.Generate()
	if err != nil {
		return "", err
	}
	private, err := keys.MarshalPrivate(key)
	if err != nil {
		return "", err
	}
	public, err := keys.MarshalPublic(keys.Public(key))
	if err != nil {
		return "", err
	}
	if len(to) > 0 {
		if private, err = keys.Encrypt(private, to...); err != nil {
			return "", withHint(fmt.Errorf("cannot encrypt the key: %w", err), "nothing was written")
		}
	}
	if err := create(out, private, 0o600); err != nil {
		return "", err
	}
	if err := create(out+".pub", public, 0o644); err != nil {
		_ = os.Remove(out) // the first error is the one to tell
		return "", err
	}
	return keys.ID(keys.Public(key)), nil
}

// create writes a file that is not there yet, whole or not at all.
func create(name string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return withHint(fmt.Errorf("%s is there already, and is not overwritten", name), "choose another place with --out")
	}
	if err == nil {
		_, err = f.Write(data)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(name)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, cause(err))
	}
	return nil
}

// unlock is how an encrypted key is opened.
type unlock struct{ identity, passphraseFile string }

func (u *unlock) flags(c *cobra.Command) {
	c.Flags().StringVar(&u.identity, "identity", "", "open the key with the age identities in `FILE`")
	c.Flags().StringVar(&u.passphraseFile, "passphrase-file", "", "open the key with the passphrase in `FILE`, as /dev/fd/3, instead of asking")
}

// privateKey reads a signing key, which nobody else may be able to read.
func (u unlock) privateKey(ctx context.Context, name string) (ed25519.PrivateKey, error) {
	data, info, err := readRegular(name, maxKeyFile)
	if err != nil {
		return nil, withHint(fmt.Errorf("cannot read the key %s: %w", name, cause(err)), "`tightship key generate` makes one")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, withHint(fmt.Errorf("others can read the key %s (mode %04o)", name, info.Mode().Perm()), "chmod 600 %s, and make a new key if somebody may have read it", name)
	}
	if keys.IsAge(data) {
		if data, err = u.open(ctx, name, data); err != nil {
			return nil, err
		}
	}
	key, err := keys.ParsePrivate(data)
	switch {
	case errors.Is(err, keys.ErrPublic):
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "name the file beside it, without .pub")
	case errors.Is(err, keys.ErrEncrypted):
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "`tightship key generate --passphrase` makes an encrypted key")
	case err != nil:
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "`tightship key generate` makes a key")
	}
	return key, nil
}

func (u unlock) open(ctx context.Context, name string, data []byte) ([]byte, error) {
	var with []age.Identity
	switch {
	case u.identity != "":
		text, _, err := readRegular(u.identity, maxKeyFile)
		if err == nil {
			with, err = keys.Identities(text)
		}
		if err != nil {
			return nil, withHint(fmt.Errorf("--identity %s: %w", u.identity, cause(err)), "age-keygen makes such a file")
		}
	case keys.NeedsPassphrase(data):
		p, err := u.passphrase(ctx, name, false)
		if err != nil {
			return nil, err
		}
		id, err := keys.FromPassphrase(p)
		if err != nil {
			return nil, err
		}
		with = append(with, id)
	}
	plain, err := keys.Decrypt(data, with...)
	if errors.Is(err, keys.ErrLocked) {
		if len(with) == 0 {
			return nil, withHint(fmt.Errorf("%s: %w", name, err), "name the age identity that opens it with --identity FILE")
		}
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "it takes the passphrase or the identity that it was made for")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return plain, nil
}

// publicKey reads a key to check signatures with.
func publicKey(name string) (ed25519.PublicKey, error) {
	data, _, err := readRegular(name, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key %s: %w", name, cause(err))
	}
	key, err := keys.ParsePublic(data)
	if errors.Is(err, keys.ErrPrivate) {
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "name %s.pub, and keep the private key where it is", name)
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", name, err), "the public key of whoever signed is a file of `tightship key generate` that ends in .pub")
	}
	return key, nil
}

const maxKeyFile = 64 << 10

// readRegular reads a regular file of at most so many bytes. Anything else could
// keep it waiting.
func readRegular(name string, most int64) ([]byte, fs.FileInfo, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, errors.New("it is no regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > most {
		return nil, nil, fmt.Errorf("it has more than %d bytes", most)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return data, info, err
}

// passphrase reads it from its file, or asks on the terminal, twice for a new one.
func (u unlock) passphrase(ctx context.Context, what string, twice bool) (string, error) {
	if u.passphraseFile == "" {
		return askPassphrase(ctx, what, twice)
	}
	f, err := os.Open(u.passphraseFile) // may be a pipe
	if err != nil {
		return "", fmt.Errorf("cannot read the passphrase from %s: %w", u.passphraseFile, cause(err))
	}
	defer f.Close()
	data, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(f, maxKeyFile)) })
	if err != nil {
		return "", fmt.Errorf("cannot read the passphrase from %s: %w", u.passphraseFile, cause(err))
	}
	p := strings.TrimRight(string(data), "\r\n")
	if p == "" {
		return "", withHint(fmt.Errorf("%s holds no passphrase", u.passphraseFile), "its first line is the passphrase")
	}
	return p, nil
}

// interruptible waits for a read that cannot be ended, or for the end of ctx.
func interruptible(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
