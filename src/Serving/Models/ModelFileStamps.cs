using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ManagedTransformers.Serving;

/// <summary>Length and time of the files that a model is made of, to notice that they are no longer the same.</summary>
internal sealed class ModelFileStamps
{
    private static readonly string[] Extensions = [".json", ".txt", ".safetensors", ".bin", ".model", ".jinja"];

    private const int WholeBytes = 32 << 20, Places = 256, PlaceBytes = 256;

    private readonly string _directory;
    private readonly (string Path, Stamp Stamp)[] _files;

    private ModelFileStamps(string directory, (string Path, Stamp Stamp)[] files)
    {
        (_directory, _files) = (directory, files);
    }

    /// <summary>Whether a file is of a kind that models are made of; a README is not.</summary>
    public static bool IsPart(string path) => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>The files as they are now; none where there is no such directory, which loading says better.</summary>
    public static ModelFileStamps Of(string directory) => new(directory, !Directory.Exists(directory) ? [] :
        [.. Directory.EnumerateFiles(directory, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 })
            .Where(IsPart)
            .Order(StringComparer.Ordinal)
            .Select(path => (path, Stamp.Of(path)))]);

    /// <summary>The weight files that are read, largest formats' choice as the loader's: safetensors before PyTorch's.</summary>
    public IReadOnlyList<string> WeightFiles
    {
        get
        {
            string[] safetensors = [.. Having(".safetensors")];
            return safetensors.Length > 0 ? safetensors : [.. Having(".bin")];
        }
    }

    /// <summary>Whether they are the same files, unchanged.</summary>
    public bool Same(ModelFileStamps other) => _directory == other._directory && _files.AsSpan().SequenceEqual(other._files);

    /// <summary>What is no longer as it was, in words; null: nothing.</summary>
    public string? Difference()
    {
        foreach ((string path, Stamp then) in _files)
        {
            Stamp now = Stamp.Of(path);
            if (now != then)
                return $"{path} was {then} when it was loaded and is {now} now";
        }
        return null;
    }

    /// <summary>Hexadecimal digits of names and contents, wherever the directory lies; of a file above 32 MB its length and 256 places of 256 bytes.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public string Fingerprint()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 16];
        foreach ((string path, Stamp stamp) in _files)
        {
            string name = Path.GetRelativePath(_directory, path).Replace(Path.DirectorySeparatorChar, '/');
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name} {stamp.Length};")));
            using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            bool whole = stamp.Length <= WholeBytes;
            int count = whole ? buffer.Length : PlaceBytes;
            long step = whole ? count : stamp.Length / Places;
            for (long place = 0; place < stamp.Length; place += step)
                hash.AppendData(buffer.AsSpan(0, RandomAccess.Read(file, buffer.AsSpan(0, count), place)));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private IEnumerable<string> Having(string extension) =>
        _files.Select(file => file.Path).Where(path => Path.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>Length and time of what a path leads to now, links followed: the hub's cache has links.</summary>
    private readonly record struct Stamp(bool Exists, string Target, long Length, DateTime Written)
    {
        public static Stamp Of(string path)
        {
            var file = new FileInfo(path);
            if (file.LinkTarget is not null && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
                file = target;
            return file.Exists ? new Stamp(true, file.FullName, file.Length, file.LastWriteTimeUtc) : default;
        }

        public override string ToString() =>
            Exists ? string.Create(CultureInfo.InvariantCulture, $"{Length} bytes of {Written:yyyy-MM-dd HH:mm:ss.fff}") : "missing";
    }
}
