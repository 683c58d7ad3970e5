package workspace

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/plan"
)

// A memo says what an owner's files were made from, so that what is expensive need not be made again. It is this machine's
// alone and lies in .trellis: in the state, which is committed, it would change with every declaration around and keep
// branches from being merged. Without it everything is only slower.
type memo map[string]memory

type memory struct {
	Input string `json:"input"` // plan.File.InputHash
	Hash  string `json:"hash"`  // of what was rendered from it
}

func memoPath(owner string) string {
	name := strings.ReplaceAll(owner, "/", ".")
	if name == "" {
		name = "platform"
	}
	return path.Join(house, "memo", name+".json")
}

// memo reads what is remembered for an owner. A memo that cannot be read is none.
func (w *Workspace) memo(owner string) memo {
	m := memo{}
	text, err := w.root.ReadFile(memoPath(owner))
	if err != nil || json.Unmarshal(text, &m) != nil {
		return memo{}
	}
	return m
}

// recall completes a state by what is remembered.
func (w *Workspace) recall(owner string, s *State) {
	for key, known := range w.memo(owner) {
		file := statePathOf(owner, key)
		if base, ok := s.Files[file]; ok && base.Hash == known.Hash {
			base.InputHash = known.Input
			s.Files[file] = base
		}
	}
}

// remember notes what the files of an applied plan were made from. What cannot be noted is only slower next time.
func (w *Workspace) remember(p *plan.Plan) {
	made := map[string]memo{}
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Base == nil || a.Base.InputHash == "" {
			continue
		}
		if made[a.Owner] == nil {
			made[a.Owner] = memo{}
		}
		made[a.Owner][stateKey(a.Owner, a.Path)] = memory{Input: a.Base.InputHash, Hash: a.Base.Hash}
	}
	for owner, more := range made {
		all := w.memo(owner)
		for key, m := range more {
			all[key] = m
		}
		_ = w.writeMemo(owner, all)
	}
}

// writeMemo replaces a memo, unless it says the same already.
func (w *Workspace) writeMemo(owner string, m memo) error {
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	name := memoPath(owner)
	if was, err := w.root.ReadFile(name); err == nil && bytes.Equal(was, text) {
		return nil
	}
	if err := w.settle(); err != nil {
		return err
	}
	if err := w.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	draft := name + "." + strconv.Itoa(os.Getpid())
	if err := w.root.WriteFile(draft, text, 0o644); err != nil {
		return err
	}
	return w.root.Rename(draft, name)
}
