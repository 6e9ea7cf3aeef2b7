package image

import (
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

// BuildKit refuses larger secrets, with a message that does not name the file.
const maxSecret = 500 * 1024

// readCA reads a file of PEM certificates and refuses everything that is not
// one. A private key is refused too: the build's steps could read it.
func readCA(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCAFile, err)
	}
	if len(data) > maxSecret {
		return nil, fmt.Errorf("%w: %s is larger than the %d KiB that BuildKit takes", ErrCAFile, path, maxSecret/1024)
	}
	certificates := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, fmt.Errorf("%w: %s holds a private key", ErrCAFile, path)
		case block.Type == "CERTIFICATE":
			certificates++
		}
	}
	if certificates == 0 {
		return nil, fmt.Errorf("%w: %s holds no PEM certificate", ErrCAFile, path)
	}
	return data, nil
}
