"""The only boto3 of this package: one module per service, each a few functions over a Cloud."""
