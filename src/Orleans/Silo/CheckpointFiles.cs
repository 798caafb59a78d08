using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace ManagedTransformers.Orleans;

/// <summary>The files of a checkpoint: the hash of each, and the contents of those without weights. Whoever gets them computes the model's fingerprint, and so
/// knows that they are whole and those of the silos.</summary>
[GenerateSerializer, Immutable]
internal sealed record CheckpointFiles
{
    private static readonly string[] s_weights = [".safetensors", ".bin"];

    /// <summary>The version of the runtime.</summary>
    [Id(0)]
    public required string Version { get; init; }

    /// <summary>What else texts depend on.</summary>
    [Id(1)]
    public required string Settings { get; init; }

    /// <summary>Paths below the checkpoint, with slashes, in the order of their characters.</summary>
    [Id(2)]
    public required string[] Paths { get; init; }

    /// <summary>The SHA-256 of each.</summary>
    [Id(3)]
    public required byte[][] Hashes { get; init; }

    /// <summary>What each holds; null: weights, or not read.</summary>
    [Id(4)]
    public required byte[]?[] Contents { get; init; }

    /// <summary>Whether two silos give the same texts: 32 hexadecimal digits for files, version and settings.</summary>
    public string Fingerprint
    {
        get
        {
            using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            Append(all, $"{Version}\n{Settings}\n");
            for (int i = 0; i < Paths.Length; i++)
            {
                Append(all, $"{Paths[i]}\n");
                all.AppendData(Hashes[i]);
            }
            return Convert.ToHexStringLower(all.GetHashAndReset().AsSpan(0, 16));
        }
    }

    /// <summary>Reads all files of a checkpoint's directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="settings">What else texts depend on.</param>
    /// <param name="withContents">Whether the contents of small files are kept, not their hashes alone.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static async Task<CheckpointFiles> ReadAsync(string directory, string settings, bool withContents, CancellationToken cancellationToken)
    {
        var folders = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = FileAttributes.None };
        string[] paths = [.. Directory.GetFiles(directory, "*", folders).Where(ModelFileStamps.IsPart).Order(StringComparer.Ordinal)];
        var files = new CheckpointFiles
        {
            Version = LibraryVersion.Text,
            Settings = settings, Paths = [.. paths.Select(path => Path.GetRelativePath(directory, path).Replace('\\', '/'))],
            Hashes = new byte[paths.Length][], Contents = new byte[paths.Length][],
        };
        for (int i = 0; i < paths.Length; i++)
        {
            if (withContents && !IsWeights(directory, paths[i]))
            {
                files.Contents[i] = await File.ReadAllBytesAsync(paths[i], cancellationToken).ConfigureAwait(false);
                files.Hashes[i] = SHA256.HashData(files.Contents[i]!);
                continue;
            }
            FileStream file = File.OpenRead(paths[i]);
            await using (file.ConfigureAwait(false))
                files.Hashes[i] = await SHA256.HashDataAsync(file, cancellationToken).ConfigureAwait(false);
        }
        return files;
    }

    /// <summary>The small files by path, if they are those of a fingerprint.</summary>
    /// <exception cref="ModelFingerprintException">They are not.</exception>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Checked(string model, string silo, string fingerprint)
    {
        var small = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        byte[][] hashes = [.. Hashes];
        for (int i = 0; i < Paths.Length; i++)
        {
            if (Contents[i] is not byte[] content)
                continue;
            hashes[i] = SHA256.HashData(content);
            small.Add(Paths[i], content);
        }
        string came = (this with { Hashes = hashes }).Fingerprint;
        return came == fingerprint ? small
            : throw new ModelFingerprintException(ModelFingerprintException.Say(model, $"what {silo} sent", came, "the directory", fingerprint));
    }

    // The matrix of a module of sentence-transformers is small, and a part of what says how long vectors are.
    private static bool IsWeights(string directory, string path)
    {
        if (!s_weights.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            return false;
        string folder = Path.GetDirectoryName(path)!;
        return folder == directory || !File.Exists(ConfigJson.PathIn(folder)) || File.ReadAllText(ConfigJson.PathIn(folder)).Contains("\"model_type\"");
    }

    private static void Append(IncrementalHash hash, string text) => hash.AppendData(Encoding.UTF8.GetBytes(text));
}
