package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
)

const (
	recordVersion = 1
	recordFile    = "undo.json"
	olderMark     = "older" // an undo has come down to the record
	keepRecords   = 20
)

// A record is what undo needs to take a command back. It lies in .trellis/undo/NNNNNN, beside the old contents.
type record struct {
	Version int          `json:"version"`
	Command string       `json:"command"`
	Files   []recordItem `json:"files"`
	// Made are the folders that the command made; Removed those that it removed, with their modes.
	Made    []string               `json:"made,omitempty"`
	Removed map[string]fs.FileMode `json:"removed,omitempty"`
	// Index restores git's index for the files that were marked as unmerged.
	Index []indexLine `json:"index,omitempty"`
}

type recordItem struct {
	Path string `json:"path"`
	// Old names the old content beside the record; empty when the file was new.
	Old     string      `json:"old,omitempty"`
	OldMode fs.FileMode `json:"oldMode,omitempty"`
	// NewHash identifies what the command left at the path; empty when it deleted the file.
	NewHash string `json:"newHash,omitempty"`
}

func parseRecord(text []byte) (*record, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, at(text, err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("it has version %d, and this scaffold knows version %d only", r.Version, recordVersion)
	}
	for _, f := range r.Files {
		if err := validPath(f.Path); err != nil {
			return nil, err
		}
		if f.Old != "" && (!fs.ValidPath(f.Old) || path.Dir(f.Old) != ".") {
			return nil, fmt.Errorf("%q is no old content", f.Old)
		}
	}
	for _, dir := range r.Made {
		if err := validPath(dir); err != nil {
			return nil, err
		}
	}
	for _, line := range r.Index {
		if err := line.valid(); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

func recordFolder(number int) string { return path.Join(records, fmt.Sprintf("%06d", number)) }

// recordNumbers lists the filed records, oldest first.
func (w *Workspace) recordNumbers() ([]int, error) {
	entries, err := fs.ReadDir(w.root.FS(), records)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the undo records: %w", cause(err))
	}
	var numbers []int
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err == nil && number > 0 && w.disk.exists(path.Join(recordFolder(number), recordFile)) {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil // fs.ReadDir sorts, and the numbers have leading zeros
}

// nextRecord is the number for a new record, and prunes what is too old to be kept.
func (w *Workspace) nextRecord() (int, error) {
	numbers, err := w.recordNumbers()
	if err != nil || len(numbers) == 0 {
		return 1, err
	}
	for len(numbers) >= keepRecords {
		if err := w.disk.removeAll(recordFolder(numbers[0])); err != nil {
			return 0, fmt.Errorf("drop the oldest undo record: %w", err)
		}
		numbers = numbers[1:]
	}
	return numbers[len(numbers)-1] + 1, nil
}
