package broker

import "github.com/tightship-dev/tightship/ledger"

type gitCall struct{ refs []ledger.RefUpdate }

func (c *call) gitGate() (*denial, bool) { return nil, false }
