//go:build !linux

package kernel

import "fmt"

// Read always fails with ErrUnavailable: only Linux has this state.
func Read(pid int) (*State, error) {
	return nil, fmt.Errorf("kernel: pid %d: %w", pid, ErrUnavailable)
}

// Refresh always fails with ErrUnavailable.
func (s *State) Refresh() (*Cgroup, error) {
	return nil, fmt.Errorf("kernel: %w", ErrUnavailable)
}

// Members always fails with ErrUnavailable.
func (s *State) Members(most int) (all []*State, more bool, err error) {
	return nil, false, fmt.Errorf("kernel: %w", ErrUnavailable)
}
