// Package workspace is the disk: it reads a platform's files and state, applies a plan, and takes the last command back.
//
//	ws, err := workspace.Open(root)
//	defer ws.Close()
//	state, err := ws.State("services/orders")
//	p, err := plan.Build(state.Files, ws, files, plan.Options{Owner: "services/orders", Version: version})
//	err = ws.Apply(ctx, p, workspace.Meta{Command: "scaffold sync", TemplateVersion: version})
//
// It decides nothing about contents: that is package plan.
//
// # Before or after, never between
//
// Apply first writes every new content below .trellis/txn, on the same file system, and makes it durable together with a
// journal of renames. Up to here a crash leaves rubbish that the next Open throws away. The renames are then done by a
// process of its own session, which a kill of the command, or of its process group, does not reach; it marks the journal
// as committed first. After a power failure the next Open finds the mark and does the renames that are missing. When the
// plan comes down to a single rename, as for a new service, that rename is the commit and no process is needed.
//
// A journal records only steps that can be repeated: whether a rename was done is seen from whether the staged file is
// still there. A file that a person changed between the crash and the recovery is never replaced.
//
// # What lies where
//
//	services/orders/.scaffold/state.json   what was rendered last for the service's files
//	services/orders/.scaffold/base/…       the contents of merged files as rendered last
//	.trellis/lock                          held while a command writes
//	.trellis/txn/…                         a transaction under way
//	.trellis/undo/000007/                  the old contents for undo; the last twenty are kept
//	.trellis/kept/…                        what a recovery found in its way and did not replace
//
// The folder .trellis ignores itself in git.
package workspace
