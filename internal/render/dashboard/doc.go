// Package dashboard builds the Grafana dashboards: one for each service, from its declaration, and those of the platform. They
// are data, made of Go values and not of text templates, so that a panel is a function call and none is forgotten a unit, a
// description or a legend. It also lists the queries of dashboards that lie on disk, for whoever runs them; see Queries.
//
// It looks nothing up and asks no Grafana: the same declaration gives the same bytes.
//
//	d := dashboard.Service(model, model.Service("orders"))
//	text, err := d.JSON()
package dashboard
