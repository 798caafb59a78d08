namespace ManagedTransformers.Models.Tests;

/// <summary>Damaged files, with fixed seeds: each opens and can be read, or is refused with a CheckpointException; nothing else may happen.</summary>
[TestFixture]
public class TorchFuzzTests
{
    private static byte[] Fixture(string name) => File.ReadAllBytes(RepositoryFiles.PathOf($"tests/data/torch/{name}"));

    [TestCase("zip.bin")]
    [TestCase("legacy.bin")]
    [TestCase("protocol4.bin")]
    [TestCase("runs-legacy.bin")]
    public void Truncated_at_any_byte_a_file_is_refused(string name)
    {
        byte[] valid = Fixture(name);
        for (int length = 0; length < valid.Length; length++)
            Assert.That(OpensOrRefuses(valid.AsMemory(0, length)), Is.False, $"{length} bytes");
    }

    [TestCase("zip.bin")]
    [TestCase("legacy.bin")]
    public void With_any_one_bit_flipped_a_file_opens_or_is_refused(string name)
    {
        byte[] bytes = Fixture(name);
        int opened = 0;
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            if (OpensOrRefuses(bytes)) opened++;
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        // Flips in data, names and padding go unnoticed, those in structure do not.
        Assert.That(opened, Is.InRange(100, (bytes.Length * 8) - 1000));
    }

    [Test]
    public void With_random_damage_a_file_opens_or_is_refused([Values("zip.bin", "legacy.bin", "protocol4.bin")] string name, [Range(1, 4)] int seed)
    {
        byte[] valid = Fixture(name);
        var random = new Random(seed);
        int opened = 0;
        for (int round = 0; round < 2000; round++)
        {
            List<byte> bytes = [.. valid];
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                int at = random.Next(bytes.Count);
                switch (random.Next(4))
                {
                    case 0: bytes[at] = (byte)random.Next(256); break;
                    case 1: bytes[at] = valid[random.Next(valid.Length)]; break;
                    case 2: bytes.RemoveAt(at); break;
                    default: bytes.Insert(at, valid[random.Next(valid.Length)]); break;
                }
            }

            if (OpensOrRefuses(bytes.ToArray())) opened++;
        }

        Assert.That(opened, Is.LessThan(2000));
    }

    private static bool OpensOrRefuses(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using TorchFile file = TorchFile.FromBytes(bytes);
            foreach (Weight weight in file.Weights.Values) _ = weight.Bytes.Length;
            return true;
        }
        catch (CheckpointException e)
        {
            Assert.That(e.Message, Is.Not.Empty);
            return false;
        }
    }
}
