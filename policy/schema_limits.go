package policy

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// What the table of properties can say of a key's value.

var capabilityPattern = "^(CAP_)?(" + strings.Join(capabilities, "|") + ")$"

func constant(v any) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Const = v }
}

func pattern(re string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = re }
}

func enum[T ~string](values ...T) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		for _, v := range values {
			s.Enum = append(s.Enum, v)
		}
	}
}

// names is about the keys of a map.
func names(re string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.PropertyNames = &jsonschema.Schema{Pattern: re} }
}

// items is about a list in which nothing is listed twice.
func items(re string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		unique(s)
		s.Items.Pattern = re
	}
}

func unique(s *jsonschema.Schema) { s.UniqueItems = true }

func atLeastOne(s *jsonschema.Schema) {
	one := uint64(1)
	s.MinItems = &one
}

func between(low, high int64) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		s.Minimum = json.Number(strconv.FormatInt(low, 10))
		s.Maximum = json.Number(strconv.FormatInt(high, 10))
	}
}

// zeroAllowed is for sizes where 0 means none.
func zeroAllowed(s *jsonschema.Schema) { s.AnyOf[0].Minimum = "0" }
