// Package canary plants what must be found nowhere inside a container: a
// variable in this process's own environment, and a file below the user's home.
// They are worth nothing, so that nobody has to fear for them, and random, so
// that nobody can have them but from here.
//
// The file is the sign of life that each run keeps anyway (verify.RunDir): it is
// removed when the run ends, and after a crash by `tightship clean`.
package canary

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Variable is the name of the planted variable.
const Variable = "TIGHTSHIP_CANARY"

// Token is a random value: short enough to be taken for no key.
func Token() string {
	b := make([]byte, 12)
	rand.Read(b)
	return hex.EncodeToString(b)
}

var plant = sync.OnceValues(func() (string, error) {
	value := Token()
	return value, os.Setenv(Variable, value)
})

// Environment plants the variable in this process's environment, once, and
// returns its value.
func Environment() (value string, err error) { return plant() }

// Dir is where the files are: a directory of this user's own that does not
// follow TMPDIR. Clean must find them wherever the run was started from, and
// nobody else must be able to be there first.
func Dir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "tightship", "runs")
	}
	return filepath.Join("/tmp", fmt.Sprintf("tightship-%d", os.Getuid()))
}
