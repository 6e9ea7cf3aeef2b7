package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// maxConfig is how long the docker command's configuration may be, in bytes.
const maxConfig = 4 << 20

// configDir is where the docker command keeps its configuration, "" if this
// user has no home.
func configDir() string {
	if dir := os.Getenv(envConfig); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		u, err := user.Current()
		if err != nil || u.HomeDir == "" {
			return ""
		}
		home = u.HomeDir
	}
	return filepath.Join(home, ".docker")
}

// currentContext is the docker context in force, "" for none, and what set it.
func currentContext() (name, setBy string, err error) {
	if name := os.Getenv(envContext); name != "" {
		return name, envContext, nil
	}
	path := filepath.Join(configDir(), "config.json")
	data, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) || os.Getenv(envConfig) == "" && foreign(path) {
		return "", "", nil
	}
	var config struct{ CurrentContext string }
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		// The docker command warns here and goes on with the default engine. A
		// verdict about another engine than the one that was meant helps nobody.
		return "", "", hintedf("mend the file, or name the engine in DOCKER_HOST",
			"docker: %w: the configuration %s cannot be read: %s", engine.ErrUnreachable, text.OneLine(path), text.OneLine(plain(err)))
	}
	return config.CurrentContext, path, nil
}

// foreign says that a file lies where this user may not even look: HOME is left
// over from another user, whose choice is not this one's.
func foreign(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrPermission)
}

// contextEndpoint reads a docker context out of the docker command's store:
// contexts/meta/ID/meta.json and contexts/tls/ID/docker/*.pem, where ID is the
// hash of the name.
func contextEndpoint(name, setBy string) (Endpoint, error) {
	source := "docker context " + text.OneLine(name)
	broken := func(format string, args ...any) (Endpoint, error) {
		return Endpoint{}, hintedf(fmt.Sprintf("`docker context ls` lists the contexts; this one was chosen by %s, and DOCKER_HOST goes before it", text.OneLine(setBy)),
			"docker: %w: %s %s", engine.ErrUnreachable, source, fmt.Sprintf(format, args...))
	}
	sum := sha256.Sum256([]byte(name))
	id, store := hex.EncodeToString(sum[:]), filepath.Join(configDir(), "contexts")
	data, err := readRegular(filepath.Join(store, "meta", id, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return broken("does not exist")
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	if err != nil {
		return broken("cannot be read: %s", text.OneLine(plain(err)))
	}
	end, ok := meta.Endpoints["docker"]
	if !ok || end.Host == "" {
		return broken("names no Docker engine")
	}
	where, err := parseHost(end.Host, source, func() (*tlsFiles, error) {
		return tlsOfContext(filepath.Join(store, "tls", id, "docker"), end.SkipTLSVerify)
	})
	where.context = text.OneLine(name)
	return where, err
}

// readRegular reads a file of bounded length that is not a pipe or a device, on
// which a read might never end.
func readRegular(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("it is longer than %d bytes", maxConfig)
	}
	return data, err
}

// plain is an error without the path that its message names already.
func plain(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
