package policy

import (
	"bytes"
	_ "embed"
)

//go:embed template.yaml
var template []byte

// InitTemplate returns a commented tightship.yaml that says what Default says.
func InitTemplate() []byte { return bytes.Clone(template) }
