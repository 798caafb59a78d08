using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Orleans;

/// <summary>Whether two silos give the same texts: a number for a model's files and the version of the runtime.</summary>
internal static class CheckpointFingerprint
{
    /// <summary>Reads all files of a checkpoint's directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="settings">What else texts depend on.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>32 hexadecimal digits.</returns>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static async Task<string> OfAsync(string directory, string settings, CancellationToken cancellationToken)
    {
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string version = typeof(GenerationEngine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        Append(all, $"{version}\n{settings}\n");
        var folders = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = FileAttributes.None };
        foreach (string path in Directory.GetFiles(directory, "*", folders).Where(ModelFileStamps.IsPart).Order(StringComparer.Ordinal))
        {
            FileStream file = File.OpenRead(path);
            await using (file.ConfigureAwait(false))
            {
                Append(all, $"{Path.GetRelativePath(directory, path).Replace('\\', '/')}\n");
                all.AppendData(await SHA256.HashDataAsync(file, cancellationToken).ConfigureAwait(false));
            }
        }
        return Convert.ToHexStringLower(all.GetHashAndReset().AsSpan(0, 16));
    }

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
}
