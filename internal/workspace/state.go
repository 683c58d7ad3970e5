package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/merge"
	"github.com/trellis-mesh/trellis/internal/plan"
)

const (
	stateFolder  = ".scaffold"
	stateVersion = 1
)

// State is what the last run rendered for one owner.
type State struct {
	TemplateVersion string
	// Inputs are the command's own record of what the files were made from.
	Inputs json.RawMessage
	Files  map[string]plan.Base // by path from the platform's root
}

func statePath(owner string) string { return path.Join(owner, stateFolder, "state.json") }

// basePath is where the base of a merged file is kept.
func basePath(owner, file string) string {
	key := stateKey(owner, file)
	if outside, found := strings.CutPrefix(key, "/"); found {
		return path.Join(owner, stateFolder, "base.root", outside)
	}
	return path.Join(owner, stateFolder, "base", key)
}

// stateKey names a file in its owner's state: relative to the owner's folder, or from the platform's root with a leading
// slash when it lies outside. A moved folder so keeps its state.
func stateKey(owner, file string) string {
	if owner == "" {
		return file
	}
	if inside, found := strings.CutPrefix(file, owner+"/"); found {
		return inside
	}
	return "/" + file
}

func statePathOf(owner, key string) string {
	if outside, found := strings.CutPrefix(key, "/"); found {
		return outside
	}
	return path.Join(owner, key)
}

type stateDocument struct {
	Version         int                  `json:"version"`
	TemplateVersion string               `json:"templateVersion"`
	Inputs          json.RawMessage      `json:"inputs,omitempty"`
	Files           map[string]fileState `json:"files"`
}

type fileState struct {
	Class    plan.Class `json:"class"`
	Hash     string     `json:"hash"`
	Mode     string     `json:"mode"`
	Template string     `json:"template"`
	Frozen   bool       `json:"frozen,omitempty"`
}

// State reads an owner's state; an owner without one has an empty state. A damaged state is an error that names the
// remedy; nothing is ever guessed from it.
func (w *Workspace) State(owner string) (*State, error) {
	name := statePath(owner)
	file, err := w.Read(name)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return &State{Files: map[string]plan.Base{}}, nil
	}
	s, err := w.parseState(owner, file.Content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; take it back from git (git checkout -- %s), or delete it: then nothing is overwritten, and every generated file that was edited counts as a conflict", name, err, name)
	}
	w.recall(owner, s)
	for file, base := range s.Files {
		if base.Class != plan.Merged {
			continue
		}
		kept, err := w.Read(basePath(owner, file))
		if err != nil {
			return nil, err
		}
		if kept != nil && plan.Hash(kept.Content) == base.Hash {
			base.Content = merge.Normalize(kept.Content)
			s.Files[file] = base
		}
	}
	return s, nil
}

// parseState reads a state. One that git could not merge has two sides: of a file that both know, it takes the side that made
// what lies on the disk. Git has merged what the states are about already, and what it got wrong there is found by the hashes.
func (w *Workspace) parseState(owner string, text []byte) (*State, error) {
	ours, theirs, torn := merge.Sides(text)
	if !torn {
		return parseSide(owner, text)
	}
	s, err := parseSide(owner, ours)
	if err != nil {
		return nil, err
	}
	other, err := parseSide(owner, theirs)
	if err != nil {
		return nil, err
	}
	for file, base := range other.Files {
		mine, both := s.Files[file]
		if both && mine.Hash == base.Hash {
			continue
		}
		disk, err := w.Read(file)
		if err != nil {
			return nil, err
		}
		if !both || disk != nil && plan.Hash(disk.Content) == base.Hash {
			s.Files[file] = base
		}
	}
	return s, nil
}

func parseSide(owner string, text []byte) (*State, error) {
	var doc stateDocument
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("the state is damaged: %w", at(text, err))
	}
	if doc.Version != stateVersion {
		return nil, fmt.Errorf("the state has version %d, and this scaffold knows version %d only", doc.Version, stateVersion)
	}
	s := &State{TemplateVersion: doc.TemplateVersion, Inputs: doc.Inputs, Files: make(map[string]plan.Base, len(doc.Files))}
	for key, f := range doc.Files {
		file := statePathOf(owner, key)
		if err := validPath(file); err != nil || stateKey(owner, file) != key {
			return nil, fmt.Errorf("the state is damaged: %q is no path of this platform", key)
		}
		mode, err := strconv.ParseUint(f.Mode, 8, 9)
		if err != nil {
			return nil, fmt.Errorf("the state is damaged: %s has the mode %q", key, f.Mode)
		}
		if !slices.Contains([]plan.Class{plan.Owned, plan.Merged, plan.Once}, f.Class) {
			return nil, fmt.Errorf("the state is damaged: %s has the class %q", key, f.Class)
		}
		s.Files[file] = plan.Base{
			Class: f.Class, Hash: f.Hash, Mode: fs.FileMode(mode), Template: f.Template, Frozen: f.Frozen,
		}
	}
	return s, nil
}

// at adds the line and column to an error of encoding/json.
func at(text []byte, err error) error {
	offset := int64(len(text))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	before := text[:min(offset, int64(len(text)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("line %d, column %d: %w", line, max(column, 1), err)
}

// encode writes the state with one file a line group and sorted, so that git merges it well.
func (s *State) encode(owner string) ([]byte, error) {
	doc := stateDocument{Version: stateVersion, TemplateVersion: s.TemplateVersion, Inputs: s.Inputs, Files: map[string]fileState{}}
	for file, b := range s.Files {
		doc.Files[stateKey(owner, file)] = fileState{
			Class: b.Class, Hash: b.Hash, Mode: fmt.Sprintf("%04o", b.Mode.Perm()), Template: b.Template, Frozen: b.Frozen,
		}
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the state of %s: %w", owner, err)
	}
	return append(text, '\n'), nil
}
