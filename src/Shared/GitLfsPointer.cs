namespace ManagedTransformers;

/// <summary>The small text that git leaves in place of a large file where Git LFS has not fetched it.</summary>
internal static class GitLfsPointer
{
    private const int Enough = 8;                          // "version ": all that a reader of safetensors sees before it needs a length

    private static ReadOnlySpan<byte> Start => "version https://git-lfs"u8;

    /// <summary>What says that a file is only such a pointer; null: it is not.</summary>
    /// <param name="file">What to call the file.</param>
    /// <param name="content">Its bytes, or the first of them.</param>
    public static string? Problem(string file, ReadOnlySpan<byte> content)
    {
        ReadOnlySpan<byte> seen = content[..Math.Min(content.Length, Start.Length)];
        return seen.Length >= Enough && Start.StartsWith(seen)
            ? $"{file} is a pointer of Git LFS, not the file itself. Get the file with: git lfs pull."
            : null;
    }
}
