"""What more than one pipeline uses: the storage and quality configs, and the strict retriever."""
