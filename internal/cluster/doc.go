// Package cluster runs the platform on a local Kubernetes cluster: it makes the cluster with kind, loads the images into it,
// installs Istio from its charts, applies the mesh of an environment and the services, and waits until all of it works.
//
//	report, err := cluster.Up(ctx, cluster.Options{Root: root, Model: model, Out: os.Stdout})
//
// Every step may be run again and changes only what differs from what is declared, so that a run that was killed is taken up by
// the next. A step has a time limit; one that fails says what it waited for and shows the evidence: the events and the last
// lines of the pod that is at fault. Nothing but Docker and Go is needed: no kubectl, no helm, no kind command.
package cluster
