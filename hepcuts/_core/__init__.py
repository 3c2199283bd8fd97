"""What every room uses: errors, types, threads, files, tables, identity."""
