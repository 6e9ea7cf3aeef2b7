package mutate

// namespaces weakens the namespaces.
func namespaces() []Mutation { return nil }
