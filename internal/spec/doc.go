// Package spec reads what a platform declares: platform.yaml, each services/<name>/service.yaml, the contracts beside them
// and the event schemas. It gives them as one Model, with defaults filled in, and edits them without losing a comment.
//
// Each file is checked by itself here: keys, types, ranges, the form of names. What must agree between files, such as a call
// and the operation it names, is proven by package lint. Nothing is written and nothing is fetched.
//
// Errors are Problems: each says where (file:line:column), what, and what to do.
//
//	model, err := spec.Load(os.DirFS(root))
//	var problems spec.Problems
//	if errors.As(err, &problems) { … }
//	for _, caller := range model.Callers("inventory") { … }
package spec
