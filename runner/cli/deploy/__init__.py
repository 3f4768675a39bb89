"""Deployment to AWS with SAM CLI."""
