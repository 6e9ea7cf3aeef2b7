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

// each is about a list that is not empty and lists nothing twice.
func each(re string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		items(re)(s)
		atLeastOne(s)
	}
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

// attachSchema is a word, or an object with one of three keys.
func attachSchema() *jsonschema.Schema {
	props := jsonschema.NewProperties()
	props.Set(string(AttachHeader), &jsonschema.Schema{Type: "string", Pattern: tokenPattern, Description: "The header that is the credential, as it is."})
	props.Set(string(AttachBasic), &jsonschema.Schema{Type: "string", Pattern: "^[^:]*$", Description: "The user whose password the credential is."})
	props.Set(string(AttachQuery), &jsonschema.Schema{Type: "string", Pattern: parameterPattern, Description: "The parameter of the query."})
	one := uint64(1)
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Const: string(AttachBearer)},
		{Type: "object", Properties: props, AdditionalProperties: jsonschema.FalseSchema, MinProperties: &one, MaxProperties: &one},
	}}
}
