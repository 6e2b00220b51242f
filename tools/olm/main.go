// Judges an operator bundle and a file-based catalog as OLM's own tools do (operator-sdk bundle validate, opm validate).
// usage: olm-verify BUNDLE CATALOG
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	validator "github.com/operator-framework/api/pkg/validation/interfaces"
	"github.com/operator-framework/operator-registry/alpha/declcfg"
)

func main() {
	complaints := append(judgeBundle(os.Args[1]), judgeCatalog(os.Args[2])...)
	for _, complaint := range complaints {
		fmt.Println(complaint)
	}
	if len(complaints) > 0 {
		os.Exit(1)
	}
}

// All but those that pull images.
var validators = validator.Validators{
	validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator,
	validation.BundleValidator,
	validation.OperatorHubV2Validator,
	validation.StandardCategoriesValidator,
	validation.StandardCapabilitiesValidator,
	validation.ObjectValidator,
	validation.GoodPracticesValidator,
}

// judgeBundle returns errors and warnings alike.
func judgeBundle(folder string) (complaints []error) {
	bundle, err := manifests.GetBundleFromDir(folder)
	if err != nil {
		return []error{err}
	}
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, problem := range append(result.Errors, result.Warnings...) {
			// It takes the role's EndpointSlices for those of the beta API, which a role cannot name.
			if !strings.Contains(problem.Error(), "for endpointslices:") {
				complaints = append(complaints, problem)
			}
		}
	}
	return complaints
}

func judgeCatalog(folder string) []error {
	catalog, err := declcfg.LoadFS(context.Background(), os.DirFS(folder))
	if err == nil {
		_, err = declcfg.ConvertToModel(*catalog)
	}
	if err != nil {
		return []error{err}
	}
	return nil
}
