// Package merge joins two people's edits of one text: the lines that only one of them changed are taken from that one,
// and where both changed the same lines differently, both versions are kept between git's conflict markers.
//
// It knows nothing of files or classes; package plan decides when to merge.
package merge

// Labels name the two sides in conflict markers.
type Labels struct {
	Yours, Theirs string
}

// Result is a merged text.
type Result struct {
	Content []byte
	// Conflicts counts the marked places.
	Conflicts int
}

// Text merges yours and theirs, which were both made from base.
func Text(base, yours, theirs []byte, labels Labels) Result {
	return Result{}
}

// TwoWay marks every place where yours and theirs differ, for when there is no base to tell who changed it.
func TwoWay(yours, theirs []byte, labels Labels) Result {
	return Result{}
}

// HasMarkers reports whether text still holds a conflict that was marked with these labels.
// An empty label matches any.
func HasMarkers(text []byte, labels Labels) bool {
	return false
}
