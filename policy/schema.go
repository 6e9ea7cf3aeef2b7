package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns a JSON Schema (2020-12) of the policy file, indented, made
// from the Go types. It never refuses what Decode takes; Decode is stricter,
// because much of what it asks for (paths that are clean, patterns that
// compile, dates of the calendar) is beyond a schema.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Mapper:                     scalarSchema,
	}
	s := r.Reflect(&Policy{})
	s.Title = "tightship.yaml"
	s.Description = "The policy of an agent container: what it may do, and what is proven about it."
	if err := describe("Policy", s); err != nil {
		return nil, err
	}
	for name, def := range s.Definitions {
		if err := describe(name, def); err != nil {
			return nil, err
		}
	}
	setDefaults(s, s.Definitions, Default().tree())
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("policy: schema: %w", err)
	}
	return b.Bytes(), nil
}

// scalarSchema is the forms of the types that are written with units.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	least := func(typ, n string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: typ, Minimum: json.Number(n)}
	}
	text := func(pattern string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Pattern: pattern}
	}
	switch t {
	case reflect.TypeFor[Size]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{least("integer", "1"), text(orUnlimited(sizePattern))}}
	case reflect.TypeFor[CPUs]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{least("number", "0.01"), text(orUnlimited(cpusPattern))}}
	case reflect.TypeFor[Count]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{least("integer", "1"), text(orUnlimited(wholeNumber))}}
	case reflect.TypeFor[Date]():
		s := text(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
		s.Format = "date"
		return s
	case reflect.TypeFor[Rate]():
		return text(orUnlimited(ratePattern))
	case reflect.TypeFor[Attach]():
		return attachSchema()
	}
	return nil
}

func orUnlimited(pattern string) string {
	return "^(" + strings.Trim(pattern, "^$") + "|" + unlimited + ")$"
}

// describe adds to an object what the table of properties says.
func describe(name string, s *jsonschema.Schema) error {
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		p, ok := properties[name+"."+pair.Key]
		if !ok {
			return fmt.Errorf("policy: schema: nothing is said about %s.%s", name, pair.Key)
		}
		pair.Value.Description = p.description
		if p.limit != nil {
			p.limit(pair.Value)
		}
	}
	s.Required = required[name]
	return nil
}

// setDefaults writes into the schema what a missing key means. Entries of maps
// and lists have no place in it, so those get the default as a whole.
func setDefaults(s *jsonschema.Schema, defs jsonschema.Definitions, nodes []node) {
	for _, n := range nodes {
		prop, ok := s.Properties.Get(n.key)
		if !ok {
			continue
		}
		def := defs[strings.TrimPrefix(prop.Ref, "#/$defs/")]
		if def != nil && def.Properties != nil {
			setDefaults(def, defs, n.kids)
		} else {
			prop.Default = n.value()
		}
	}
}
